//! Cases that the Go `benchmark` tool drives.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use taffrail_e2e::requests;

use crate::access::Access;
use crate::table::{Direction, Row};
use crate::target::Target;
use crate::{Args, Programs, process};

pub struct Case {
    pub name: &'static str,
    /// Operations without `--quick`.
    pub total: usize,
    pub args: &'static [&'static str],
}

pub const VALUE: &str = "--val-size=256";
pub const KEYS: &str = "--key-space-size=100000";
pub const MANY: [&str; 2] = ["--clients=1000", "--conns=100"];

pub const CASES: [Case; 7] = [
    Case {
        name: "put, 1000 clients",
        total: 200_000,
        args: &["put", VALUE, KEYS, MANY[0], MANY[1]],
    },
    Case {
        name: "put, 1 client",
        total: 10_000,
        args: &["put", VALUE, KEYS],
    },
    Case {
        name: "range, 1000 clients",
        total: 200_000,
        args: &["range", "foo", MANY[0], MANY[1]],
    },
    Case {
        name: "serializable range, 1000 clients",
        total: 200_000,
        args: &["range", "foo", "--consistency=s", MANY[0], MANY[1]],
    },
    Case {
        name: "range, 1 client",
        total: 20_000,
        args: &["range", "foo"],
    },
    Case {
        name: "serializable range, 1 client",
        total: 20_000,
        args: &["range", "foo", "--consistency=s"],
    },
    Case {
        name: "txn-put of 10, 1000 clients",
        total: 50_000,
        args: &["txn-put", "--txn-ops=10", VALUE, KEYS, MANY[0], MANY[1]],
    },
];

/// What one run showed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub cpu_us_per_operation: f64,
}

/// Runs every wanted case on a fresh member of each program, in turn.
pub async fn compare(programs: &Programs, tool: &Path, args: &Args, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
    let access = Access::new(args.access);
    let members = programs.start(&args.flag, &access).await;
    for member in &members {
        member.put(requests::put("foo", vec![b'v'; 256])).await;
        access.prepare(member).await;
    }
    let targets = [
        Target::member(&members[0], &access)?,
        Target::member(&members[1], &access)?,
    ];
    compare_cases(&CASES, &targets, tool, args, wanted)?;
    for (member, name) in members.iter().zip(["upstream", "taffrail"]) {
        let pid = member.pid().context("the member runs")?;
        eprintln!(
            "{name}: {:.0} MiB resident, {:.0} MiB on disk",
            process::rss_mib(pid)?,
            process::disk_mib(member.data_dir())?
        );
    }
    Ok(())
}

/// Each wanted case on one target and then the other.
pub fn compare_cases(
    cases: &[Case],
    targets: &[Target; 2],
    tool: &Path,
    args: &Args,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<()> {
    for case in cases.iter().filter(|case| wanted(case.name)) {
        let total = if args.quick { case.total / 10 } else { case.total };
        let mut runs = [Vec::new(), Vec::new()];
        for _ in 0..args.repeat.max(1) {
            for (target, runs) in targets.iter().zip(&mut runs) {
                runs.push(run(tool, target, case.args, total)?);
            }
        }
        print(case.name, &runs.map(median));
    }
    Ok(())
}

fn print(name: &str, figures: &[Figures; 2]) {
    let rows = [
        (
            Row::new(name, "per second", Direction::More),
            figures.map(|of| of.per_second),
        ),
        (Row::new("", "p50 ms", Direction::Less), figures.map(|of| of.p50_ms)),
        (Row::new("", "p99 ms", Direction::Less), figures.map(|of| of.p99_ms)),
        (
            Row::new("", "CPU us/op", Direction::Less),
            figures.map(|of| of.cpu_us_per_operation),
        ),
    ];
    for (row, figures) in rows {
        row.print(figures);
    }
}

fn median(mut runs: Vec<Figures>) -> Figures {
    runs.sort_by(|one, other| one.cpu_us_per_operation.total_cmp(&other.cpu_us_per_operation));
    runs.get(runs.len() / 2).copied().unwrap_or_default()
}

/// One run of the load generator against `target`.
pub fn run(tool: &Path, target: &Target, args: &[&str], total: usize) -> Result<Figures> {
    let before = target.cpu_us()?;
    let output = Command::new(tool)
        .args(args)
        .args(&target.tool)
        .args([
            format!("--total={total}"),
            format!("--endpoints={}", target.endpoints),
            "--precise".to_owned(),
        ])
        // It logs every connection there.
        .stderr(Stdio::null())
        .output()?;
    let used = target.cpu_us()? - before;
    ensure!(output.status.success(), "the benchmark tool failed on {args:?}");
    let mut figures = parse(&String::from_utf8_lossy(&output.stdout)).context("the benchmark tool's report is cut")?;
    figures.cpu_us_per_operation = used / total as f64;
    Ok(figures)
}

fn parse(report: &str) -> Option<Figures> {
    ensure_no_errors(report);
    let after = |label: &str| {
        let line = report.lines().find(|line| line.trim_start().starts_with(label))?;
        line.trim_start()
            .strip_prefix(label)?
            .split_whitespace()
            .next()?
            .parse::<f64>()
            .ok()
    };
    Some(Figures {
        per_second: after("Requests/sec:")?,
        p50_ms: after("50% in")? * 1e3,
        p99_ms: after("99% in")? * 1e3,
        cpu_us_per_operation: 0.0,
    })
}

/// Failed operations make fast figures.
fn ensure_no_errors(report: &str) {
    if let Some((_, errors)) = report.split_once("Error distribution:") {
        eprintln!("operations failed: {}", errors.trim());
    }
}
