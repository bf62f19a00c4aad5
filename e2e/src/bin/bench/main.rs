//! Upstream etcd and Taffrail under the same load, one after the other on the same machine, as a table.
//!
//! `cargo bench-etcd [--quick] [--members 3] [--access tls|auth] [--only NAME]`. Needs the programs of `e2e/tools/build`. The load generator runs on
//! the same cores, so CPU per operation is the robust figure and throughput the indicative one.

mod access;
mod bulk;
mod load;
mod members;
mod process;
mod table;
mod target;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Parser;
use taffrail_e2e::{Member, program};

use access::Access;

#[derive(Parser)]
struct Args {
    /// A tenth of the operations, and a tenth of the keys in the bulk case.
    #[arg(long)]
    quick: bool,
    /// So many members of each program in a cluster.
    #[arg(long, default_value_t = 1)]
    members: usize,
    /// Only cases whose name contains this; may be repeated.
    #[arg(long)]
    only: Vec<String>,
    /// How often each case is run; the median counts.
    #[arg(long, default_value_t = 1)]
    repeat: usize,
    /// Another program to compare with.
    #[arg(long)]
    upstream: Option<PathBuf>,
    /// Another program to measure.
    #[arg(long)]
    taffrail: Option<PathBuf>,
    /// One more flag for both servers, as `--name=value`; may be repeated.
    #[arg(long)]
    flag: Vec<String>,
    /// How clients get in; of single members.
    #[arg(long, value_enum, default_value = "plain")]
    access: access::Way,
}

/// Both programs, in the order of the table's columns.
struct Programs([PathBuf; 2]);

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let programs = Programs([
        args.upstream
            .clone()
            .or_else(|| program::tool("upstream/etcd"))
            .context("no upstream etcd: run e2e/tools/build")?,
        args.taffrail
            .clone()
            .unwrap_or_else(|| program::taffrail().to_path_buf()),
    ]);
    let benchmark = program::tool("benchmark").context("no benchmark tool: run e2e/tools/build")?;
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| name.contains(only.as_str()));
    table::head();
    if args.members > 1 {
        return members::compare(&programs, &benchmark, &args, &wanted).await;
    }
    if load::CASES.iter().any(|case| wanted(case.name)) {
        load::compare(&programs, &benchmark, &args, &wanted).await?;
    }
    if wanted(bulk::NAME) {
        bulk::compare(&programs, &benchmark, &args).await?;
    }
    Ok(())
}

impl Programs {
    /// A fresh member of each.
    async fn start(&self, flags: &[String], access: &Access) -> [Member; 2] {
        let [upstream, taffrail] = &self.0;
        [
            start(upstream, flags, access).await,
            start(taffrail, flags, access).await,
        ]
    }
}

async fn start(program: &std::path::Path, flags: &[String], access: &Access) -> Member {
    let mut builder = Member::builder().program(program);
    if let Some(config) = &access.config {
        builder = builder.secure(Arc::clone(config));
    }
    let flags = flags.iter().chain(&access.server);
    flags
        .fold(builder, |builder, flag| builder.arg(flag.clone()))
        .start()
        .await
}
