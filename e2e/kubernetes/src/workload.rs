//! Clients at work on one etcd cluster, and a verdict on what they were told.
//!
//! They put, read, delete, run transactions, hold leases and watch, all the time; the checker of the fault tests then
//! goes through the whole history. What the cluster holds already stays as it is, but nobody else may write meanwhile:
//! the checker explains every revision.

use std::fmt::{Display, Formatter};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use taffrail_e2e::certificates::{Shown, Speech, Trust};
use taffrail_e2e::chance::Chance;
use taffrail_e2e::checker::{self, Report};
use taffrail_e2e::history::{History, Recorder};
pub use taffrail_e2e::load::Settings;
use taffrail_e2e::load::{Doors, Load, clear};
use tempfile::TempDir;

/// As many connections of each kind as a cluster of three would have.
const SLOTS: usize = 3;
/// Light: the machine carries a whole Kubernetes besides.
const OPERATIONS_PER_SECOND: u64 = 60;

/// Certificates as text, PEM.
#[derive(Debug, Clone)]
pub struct Tls {
    pub ca: String,
    pub cert: String,
    pub key: String,
}

pub struct Workload {
    load: Load,
    folder: TempDir,
    base: i64,
}

#[must_use = "a verdict that nobody reads promises nothing"]
#[derive(Debug)]
pub struct Verdict {
    /// Nothing acknowledged was lost, no read was stale, and watchers heard everything, once and in order.
    pub is_clean: bool,
    pub report: Report,
    /// Between two acknowledged writes of anybody, since it was last taken.
    pub longest_write_pause: Duration,
    pub acknowledged: u64,
    /// Requests without an answer, whose outcome clients do not know.
    pub failed_requests: u64,
    /// Times that no member at all could be connected to.
    pub unreached: u64,
}

/// What stock etcd keeps its promises under too: every slot has one watcher, of everything from the first revision on.
pub fn any_etcd() -> Settings {
    Settings {
        clients_per_member: 2,
        lease_holders_per_member: 1,
        watchers_per_member: 0,
        operations_per_second: OPERATIONS_PER_SECOND,
        // Members of stock etcd 3.6 come to differ by them.
        old_reads_in_txns: false,
        compactions: true,
        base: 1,
    }
}

/// More: watchers that come and go, begin in the past and in the future, and share streams, and old reads in
/// transactions. Stock etcd now and then leaves such a stream without progress.
pub fn thorough() -> Settings {
    Settings {
        watchers_per_member: 1,
        old_reads_in_txns: true,
        ..any_etcd()
    }
}

impl Workload {
    /// `addresses` gives hosts with ports, and is asked before every connection: members come and go.
    pub async fn start(addresses: impl Fn() -> Vec<String> + Send + Sync + 'static, tls: Option<Tls>) -> Result<Self> {
        Self::start_with(addresses, tls, any_etcd()).await
    }

    pub async fn start_with(
        addresses: impl Fn() -> Vec<String> + Send + Sync + 'static,
        tls: Option<Tls>,
        settings: Settings,
    ) -> Result<Self> {
        let config = tls.map(|tls| tls.config());
        Self::start_speaking(addresses, move || config.clone(), settings).await
    }

    /// `speech` is asked before every connection too: certificates come and go.
    pub async fn start_speaking(
        addresses: impl Fn() -> Vec<String> + Send + Sync + 'static,
        speech: impl Fn() -> Option<Arc<rustls::ClientConfig>> + Send + Sync + 'static,
        settings: Settings,
    ) -> Result<Self> {
        let folder = tempfile::tempdir().context("no folder for the history")?;
        let recorder = Recorder::numbering_from(unused_numbers(), &folder.path().join("history.jsonl"))?;
        let doors = Doors::anyone(SLOTS, addresses, speech);
        let base = clear(&doors).await?;
        let load = Load::start(doors, recorder, &Chance::new(1), Settings { base, ..settings });
        Ok(Self { load, folder, base })
    }

    /// What happens to the cluster, told beside the history if a promise breaks.
    pub fn note(&self, text: &str) {
        self.load.shared.recorder.note(text);
    }

    /// Acknowledged requests so far: to wait until there was some work.
    pub fn acknowledged(&self) -> u64 {
        self.load.shared.figures.totals().ok
    }

    /// Returns once `count` more requests were acknowledged.
    pub async fn goes_on(&self, count: u64, patience: Duration) {
        let goal = self.acknowledged() + count;
        crate::wait::until("clients get answers", patience, async || {
            (self.acknowledged() >= goal).then_some(())
        })
        .await;
    }

    /// Between two acknowledged writes of anybody since the last call, the pause that goes on now counted.
    pub fn take_longest_write_pause(&self) -> Duration {
        let shared = &self.load.shared;
        shared.figures.take_longest_pause(shared.recorder.clock.now())
    }

    /// Ends the clients once every watcher has heard everything, and judges. The history of a broken run is kept.
    pub async fn stop(self) -> Result<Verdict> {
        let shared = self.load.shared.clone();
        let longest_write_pause = self.take_longest_write_pause();
        let totals = shared.figures.totals();
        self.load.finish().await?;
        let report = checker::check(&History::read(&self.folder.path().join("history.jsonl"))?.since(self.base));
        let is_clean = report.is_clean();
        if !is_clean {
            eprintln!("{report}\nhistory in {}", self.folder.keep().display());
        }
        let (acknowledged, failed_requests, unreached) = (totals.ok, totals.unknown, totals.unreached);
        Ok(Verdict {
            is_clean,
            report,
            longest_write_pause,
            acknowledged,
            failed_requests,
            unreached,
        })
    }
}

/// Leases of an earlier run may still be there: those of this one have other numbers. Keys are made of them too, so
/// they have to stay below a hundred million.
fn unused_numbers() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(1, |since| since.as_secs() % 86_400 * 500 + 1)
}

impl Tls {
    /// To connect with.
    pub fn config(&self) -> Arc<rustls::ClientConfig> {
        let shown = Shown::of(self.cert.clone(), self.key.clone());
        Speech::new(Trust::Pem(&self.ca), Some(&shown)).config()
    }
}

impl Verdict {
    /// Panics if a promise was broken. Says what was measured otherwise.
    pub fn expect_clean(self) -> Self {
        assert!(self.is_clean, "{}", self.report);
        println!("{self}");
        self
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} acknowledged, {} without an answer, {} times nobody reached, longest write pause {:.2} s, {}",
            self.acknowledged,
            self.failed_requests,
            self.unreached,
            self.longest_write_pause.as_secs_f64(),
            if self.is_clean { "no violation" } else { "VIOLATIONS" }
        )
    }
}
