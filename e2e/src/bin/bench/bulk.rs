//! A million keys: what writing them costs, what they take, and how fast a member is back with them.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use taffrail_e2e::{Member, requests};

use crate::access::Access;
use crate::table::{Direction, Row};
use crate::target::Target;
use crate::{Args, Programs, load, process, start};

pub const NAME: &str = "bulk: 1M keys";
const KEYS: usize = 1_000_000;
const PUT: [&str; 6] = [
    "put",
    "--sequential-keys",
    "--key-size=32",
    "--val-size=256",
    "--clients=1000",
    "--conns=100",
];

struct Figures {
    put: load::Figures,
    rss_mib: f64,
    disk_mib: f64,
    stop_s: f64,
    restart_s: f64,
    rss_after_restart_mib: f64,
}

/// One program after the other: a million keys take memory.
pub async fn compare(programs: &Programs, tool: &Path, args: &Args) -> Result<()> {
    let keys = if args.quick { KEYS / 10 } else { KEYS };
    let [upstream, taffrail] = &programs.0;
    let figures = [
        measure(upstream, tool, args, keys).await?,
        measure(taffrail, tool, args, keys).await?,
    ];
    let each = |of: fn(&Figures) -> f64| [of(&figures[0]), of(&figures[1])];
    let rows = [
        (
            Row::new(
                &format!("{keys} sequential keys of 32 B, values of 256 B"),
                "per second",
                Direction::More,
            ),
            each(|of| of.put.per_second),
        ),
        (Row::new("", "p99 ms", Direction::Less), each(|of| of.put.p99_ms)),
        (
            Row::new("", "CPU us/op", Direction::Less),
            each(|of| of.put.cpu_us_per_operation),
        ),
        (Row::new("", "resident MiB", Direction::Less), each(|of| of.rss_mib)),
        (Row::new("", "disk MiB", Direction::Less), each(|of| of.disk_mib)),
        (Row::new("", "stop s", Direction::Less), each(|of| of.stop_s)),
        (Row::new("", "restart s", Direction::Less), each(|of| of.restart_s)),
        (
            Row::new("", "resident MiB after restart", Direction::Less),
            each(|of| of.rss_after_restart_mib),
        ),
    ];
    for (row, figures) in rows {
        row.print(figures);
    }
    Ok(())
}

async fn measure(program: &Path, tool: &Path, args: &Args, keys: usize) -> Result<Figures> {
    let access = Access::new(args.access);
    let mut member = start(program, &args.flag, &access).await;
    access.prepare(&member).await;
    let put = load::run(
        tool,
        &Target::member(&member, &access)?,
        &[&PUT[..], &[&format!("--key-space-size={keys}")]].concat(),
        keys,
    )?;
    let rss_mib = process::rss_mib(pid(&member)?)?;
    let disk_mib = process::disk_mib(member.data_dir())?;
    let begin = Instant::now();
    member.terminate().await;
    let stop_s = begin.elapsed().as_secs_f64();
    let begin = Instant::now();
    member.start().await;
    // Ready means answering, not only saying so.
    member.range(requests::get("foo")).await;
    let restart_s = begin.elapsed().as_secs_f64();
    let rss_after_restart_mib = process::rss_mib(pid(&member)?)?;
    Ok(Figures {
        put,
        rss_mib,
        disk_mib,
        stop_s,
        restart_s,
        rss_after_restart_mib,
    })
}

fn pid(member: &Member) -> Result<u32> {
    member.pid().context("the member runs")
}
