//! Runs a cluster under load and faults, and judges what its clients saw.

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
