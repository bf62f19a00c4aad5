//! What every kind of run begins and ends with.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use taffrail_e2e::chance::Chance;
use taffrail_e2e::checker::{self, Report};
use taffrail_e2e::cluster::{Cluster, Layout, Network};
use taffrail_e2e::history::{History, Recorder, Table};

use crate::args::Stand;

/// How long a cluster may take to be well again.
pub const RECOVERY_PATIENCE: Duration = Duration::from_secs(60);

pub struct Bench {
    pub cluster: Cluster,
    pub recorder: Recorder,
    pub chance: Chance,
    pub dir: PathBuf,
    tolerate: Vec<String>,
}

impl Bench {
    /// A healthy cluster whose founders are the first slots.
    pub async fn set_up(stand: Stand, network: Network, founders: usize) -> Result<Self> {
        let seed = stand.seed.unwrap_or_else(seed_of_the_moment);
        let dir = stand
            .dir
            .unwrap_or_else(|| std::env::temp_dir().join(format!("faults-{seed}")));
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        println!("seed {seed}, history and logs in {}", dir.display());
        let layout = Layout {
            program: std::path::absolute(&stand.program)?,
            members: network.members(),
            args: stand.args,
            dir: dir.clone(),
            disk_bytes: stand.disk_mb << 20,
            secure_peers: 0,
        };
        let mut cluster = Cluster::in_network(layout, network, founders)?;
        (0..founders).try_for_each(|member| cluster.start(member))?;
        cluster.wait_until_healthy(RECOVERY_PATIENCE).await?;
        let recorder = Recorder::create(&dir.join("history.jsonl"))?;
        recorder.note(format!("seed {seed}"));
        Ok(Self {
            cluster,
            recorder,
            chance: Chance::new(seed),
            dir,
            tolerate: stand.tolerate,
        })
    }

    /// Whatever the run found out by itself is in the history too.
    pub fn say(&self, text: impl Into<String>) {
        let text = text.into();
        println!("{:>8.1} s  {text}", self.recorder.clock.now() as f64 / 1e6);
        self.recorder.note(text);
    }

    pub fn broken(&self, text: impl Into<String>) {
        let text = text.into();
        println!("{:>8.1} s  BROKEN: {text}", self.recorder.clock.now() as f64 / 1e6);
        self.recorder.broken(text);
    }

    pub fn verdict(self) -> Result<ExitCode> {
        self.recorder.flush()?;
        let path = self.dir.join("history.jsonl");
        drop(self.cluster);
        judge(&path, &self.tolerate)
    }
}

pub fn judge(path: &std::path::Path, tolerate: &[String]) -> Result<ExitCode> {
    let begun = std::time::Instant::now();
    let history = History::read(path)?;
    println!("{}", Table::of(&history));
    let mut report: Report = checker::check(&history);
    report.tolerate(tolerate);
    println!("{report}");
    println!("checked in {:.1} s", begun.elapsed().as_secs_f64());
    Ok(if report.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn seed_of_the_moment() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(1, |since| since.as_millis() as u64 % 1_000_000_000)
}
