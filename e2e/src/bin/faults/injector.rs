//! Carries faults out and makes everything well again.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use taffrail_e2e::cluster::{Ended, Entry};
use taffrail_e2e::load::Shared;

use crate::fault::Fault;
use crate::stand::{Bench, RECOVERY_PATIENCE};

const LOG_LINES_TOLD: usize = 3;
const COMPACTIONS: u64 = 20;
const POLL: Duration = Duration::from_millis(5);

pub struct Injector {
    pub bench: Bench,
    pub shared: Arc<Shared>,
    /// There is nothing more to learn from a cluster like this.
    pub members_differ: bool,
    /// Members that may end by themselves because their disk was full.
    excused: HashSet<usize>,
}

impl Injector {
    pub fn new(bench: Bench, shared: Arc<Shared>) -> Self {
        Self {
            bench,
            shared,
            members_differ: false,
            excused: HashSet::new(),
        }
    }

    pub async fn inject(&mut self, fault: &Fault) -> Result<()> {
        self.shared.figures.count_fault();
        self.bench.say(fault.to_string());
        let cluster = &mut self.bench.cluster;
        match fault {
            Fault::Kill(members) => members.iter().for_each(|&member| cluster.kill_nine(member)),
            Fault::Pause(member) => cluster.pause(*member),
            Fault::PauseLeader => {
                let leader = cluster.leader().await;
                leader.into_iter().for_each(|leader| cluster.pause(leader));
            }
            Fault::Partition(one, other) => cluster.partition(one, other)?,
            Fault::OneWay(from, to) => cluster.one_way(*from, *to)?,
            Fault::Isolate(member) => cluster.isolate(*member)?,
            Fault::IsolateLeader => {
                if let Some(leader) = cluster.leader().await {
                    cluster.isolate(leader)?;
                }
            }
            Fault::RollingRestart => self.rolling_restart().await?,
            Fault::Replace(member) => self.replace(*member).await?,
            Fault::FillDisk(member) => {
                self.excused.insert(*member);
                cluster.fill_disk(*member)?;
            }
            Fault::Compactions => self.compactions().await,
        }
        self.look_for_ends()
    }

    /// Takes all faults back; members that are down start again.
    pub fn relieve(&mut self) -> Result<()> {
        self.look_for_ends()?;
        let cluster = &mut self.bench.cluster;
        cluster.heal()?;
        cluster.free_disks()?;
        for member in 0..cluster.slots() {
            if cluster.is_paused(member) {
                cluster.resume(member);
            } else if !cluster.is_running(member) {
                cluster.start(member)?;
            }
        }
        Ok(())
    }

    /// Waits until all is well. A member that ends meanwhile is started again, and told of.
    pub async fn recover(&mut self) -> Result<()> {
        let until = std::time::Instant::now() + RECOVERY_PATIENCE;
        loop {
            self.look_for_ends()?;
            self.relieve()?;
            match self.bench.cluster.wait_until_healthy(Duration::from_secs(3)).await {
                Ok(()) => break,
                Err(error) if std::time::Instant::now() > until => {
                    self.bench.broken(format!("no recovery: {error:#}"));
                    break;
                }
                Err(_) => {}
            }
        }
        self.excused.clear();
        if !self.members_differ && !self.shared.members_agree().await {
            self.members_differ = true;
            self.bench.broken("the members hold different data");
        }
        Ok(())
    }

    /// Waits until clients were told of so many more revisions; that they are not is a violation.
    pub async fn wait_for_writes(&mut self, revisions: i64) {
        let (wanted, until) = (
            self.shared.newest() + revisions,
            std::time::Instant::now() + RECOVERY_PATIENCE,
        );
        while self.shared.newest() < wanted {
            if std::time::Instant::now() > until {
                return self
                    .bench
                    .broken(format!("clients do not get {revisions} revisions further"));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn rolling_restart(&mut self) -> Result<()> {
        for member in 0..self.bench.cluster.slots() {
            self.recover().await?;
            match self.bench.cluster.terminate(member).await {
                Some(ended) if well_ended(&ended) => {}
                Some(ended) => self.tell_end(member, &ended, "asked to end"),
                None => self.bench.broken(format!("m{} does not end when asked to", member + 1)),
            }
            self.bench.cluster.start(member)?;
        }
        self.recover().await
    }

    async fn replace(&mut self, member: usize) -> Result<()> {
        self.recover().await?;
        match self.bench.cluster.replace(member, Entry::Learner).await {
            Ok(Some(ended)) if !well_ended(&ended) => self.tell_end(member, &ended, "removed from the cluster"),
            Ok(_) => {}
            Err(error) => self.bench.broken(format!("cannot replace m{}: {error:#}", member + 1)),
        }
        Ok(())
    }

    async fn compactions(&mut self) {
        for _ in 0..COMPACTIONS {
            let member = self.bench.chance.below(self.bench.cluster.slots() as u64) as usize;
            self.shared.compact_now(member, &mut self.bench.chance).await;
        }
    }

    /// Nobody ends for no reason.
    pub fn look_for_ends(&mut self) -> Result<()> {
        for (member, ended) in self.bench.cluster.ended() {
            if self.excused.contains(&member) {
                self.bench
                    .say(format!("m{} gave up with its disk full ({})", member + 1, ended.status));
            } else {
                self.tell_end(member, &ended, "left alone");
            }
        }
        Ok(())
    }

    pub fn tell_end(&self, member: usize, ended: &Ended, when: &str) {
        let (status, log) = (ended.status, last_words(&ended.log));
        self.bench.broken(format!(
            "m{} crashed when {when} ({status}), see {}: {log}",
            member + 1,
            ended.log.display()
        ));
    }
}

/// By itself, or by the signal that asked for it.
pub fn well_ended(ended: &Ended) -> bool {
    use std::os::unix::process::ExitStatusExt;
    ended.status.success() || ended.status.signal() == Some(15)
}

/// The lines of a log that tell of a crash.
fn last_words(log: &std::path::Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let loud = text
        .lines()
        .filter(|line| ["panic", "fatal", "FATAL"].iter().any(|word| line.contains(word)));
    let words: Vec<_> = loud
        .take(LOG_LINES_TOLD)
        .map(|line| line.chars().take(300).collect::<String>())
        .collect();
    words.join(" | ")
}
