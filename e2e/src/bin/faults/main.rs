//! Runs a cluster under load and faults, and judges what its clients saw.
//!
//! Needs root, for network namespaces and small disks. The program under test is anything with etcd's flags:
//!
//! ```text
//! cargo run -p taffrail-e2e --bin faults -- run --program target/debug/taffrail --minutes 5 --seed 7
//! cargo run -p taffrail-e2e --bin faults -- acknowledged --program target/debug/taffrail --rounds 100
//! cargo run -p taffrail-e2e --bin faults -- stale --program target/debug/taffrail --rounds 20
//! cargo run -p taffrail-e2e --bin faults -- grow --program target/debug/taffrail
//! cargo run -p taffrail-e2e --bin faults -- check /tmp/faults-7/history.jsonl
//! ```
//!
//! etcd 3.6 itself breaks promises that are checked here: add `--no-old-reads-in-txns`, and
//! `--tolerate 'keep lease'`, to run it without them.

mod acknowledged;
mod args;
mod check;
mod fault;
mod grow;
mod injector;
mod progress;
mod run;
mod stale;
mod stand;
mod trial;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use args::{Args, Command};

#[tokio::main]
async fn main() -> Result<ExitCode> {
    match Args::parse().command {
        Command::Run(run) => run::run(run).await,
        Command::Check(check) => check::run(&check),
        Command::Acknowledged(rounds) => acknowledged::run(rounds).await,
        Command::Stale(rounds) => stale::run(rounds).await,
        Command::Grow(grow) => grow::run(grow).await,
    }
}
