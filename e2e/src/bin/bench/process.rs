//! What a process has used, as the kernel counts it.

use std::path::Path;

use anyhow::{Context, Result};

/// The kernel reports CPU time to programs in hundredths of a second on every machine Linux runs on.
const TICK_US: f64 = 10_000.0;

/// User and system time so far, in microseconds.
pub fn cpu_us(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in brackets may hold spaces, so counting starts behind it.
    let (_, fields) = stat.rsplit_once(')').context("a stat line has a name")?;
    let ticks = |index: usize| {
        fields
            .split_whitespace()
            .nth(index)
            .and_then(|ticks| ticks.parse::<f64>().ok())
    };
    Ok((ticks(11).context("user time")? + ticks(12).context("system time")?) * TICK_US)
}

/// Resident memory in MiB.
pub fn rss_mib(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .context("a status has VmRSS")?;
    let kib: f64 = line.split_whitespace().nth(1).context("VmRSS has a number")?.parse()?;
    Ok(kib / 1024.0)
}

/// What a folder takes on disk, in MiB; blocks, so that files of zeros that were never written do not count.
pub fn disk_mib(dir: &Path) -> Result<f64> {
    Ok(blocks(dir)? as f64 * 512.0 / f64::from(1 << 20))
}

fn blocks(dir: &Path) -> Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut sum = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        sum += if entry.file_type()?.is_dir() {
            blocks(&entry.path())?
        } else {
            entry.metadata()?.blocks()
        };
    }
    Ok(sum)
}
