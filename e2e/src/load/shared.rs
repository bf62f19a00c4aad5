//! What all clients of a run share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::watch;
use tokio::time::Instant;

use super::compactor;
use super::connection::Connection;
use super::doors::Doors;
use super::figures::Figures;
use super::mix;
use crate::chance::Chance;
use crate::history::{Body, Operation, Range, Recorder, Request, Span};

/// The client number of the driver's own questions.
pub const DRIVER: u32 = 0;
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    pub clients_per_member: usize,
    pub lease_holders_per_member: usize,
    pub watchers_per_member: usize,
    /// Of all clients together, without lease holders.
    pub operations_per_second: u64,
    /// Transactions that read old revisions: they make etcd 3.6 members differ.
    pub old_reads_in_txns: bool,
    /// Compactions now and then.
    pub compactions: bool,
    /// The revision the cluster is at when the run begins, with none of the keys that are used: 1 if it is new.
    pub base: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            clients_per_member: 4,
            lease_holders_per_member: 2,
            watchers_per_member: 2,
            operations_per_second: 400,
            old_reads_in_txns: true,
            compactions: true,
            base: 1,
        }
    }
}

pub struct Shared {
    pub doors: Doors,
    pub recorder: Recorder,
    pub settings: Settings,
    pub figures: Figures,
    /// The highest revision anybody was told.
    newest: AtomicI64,
    /// Collectors have heard everything up to here.
    collected: AtomicI64,
    compacted: AtomicI64,
    writing: AtomicBool,
    /// Watchers go on until they have heard everything up to this revision.
    listen_until: watch::Sender<Option<i64>>,
}

impl Shared {
    pub fn new(doors: Doors, recorder: Recorder, settings: Settings) -> Self {
        Self {
            doors,
            recorder,
            settings,
            figures: Figures::default(),
            newest: AtomicI64::new(settings.base),
            collected: AtomicI64::new(settings.base),
            compacted: AtomicI64::new(if settings.base > 1 { settings.base } else { 0 }),
            writing: AtomicBool::new(true),
            listen_until: watch::channel(None).0,
        }
    }

    pub fn learn(&self, operation: &Operation) {
        self.figures.count(operation);
        if let Some(answer) = operation.answer() {
            self.newest.fetch_max(answer.revision, Ordering::Relaxed);
        }
    }
    pub fn newest(&self) -> i64 {
        self.newest.load(Ordering::Relaxed)
    }
    pub fn collect(&self, revision: i64) {
        self.collected.fetch_max(revision, Ordering::Relaxed);
        self.newest.fetch_max(revision, Ordering::Relaxed);
    }
    pub fn collected(&self) -> i64 {
        self.collected.load(Ordering::Relaxed)
    }
    pub fn compact(&self, revision: i64) {
        self.compacted.fetch_max(revision, Ordering::Relaxed);
    }
    pub fn compacted(&self) -> i64 {
        self.compacted.load(Ordering::Relaxed)
    }
    pub fn is_writing(&self) -> bool {
        self.writing.load(Ordering::Relaxed)
    }
    pub fn stop_writing(&self) {
        self.writing.store(false, Ordering::Relaxed);
    }
    pub fn listen_until(&self, revision: i64) {
        self.listen_until.send_replace(Some(revision));
    }
    pub fn end(&self) -> watch::Receiver<Option<i64>> {
        self.listen_until.subscribe()
    }

    /// Leases that nobody keeps alive end, and their keys with them.
    pub async fn wait_for_the_end_of_leases(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let mut connection = Connection::new(0);
        loop {
            let left = self.ask_everyone(&mut connection, mix::read(mix::lease_keys())).await;
            match left.as_ref().and_then(attached) {
                Some(0) => return,
                _ if Instant::now() > until => {
                    let left = left.map_or("nobody answers".to_owned(), |left| left.to_string());
                    return self
                        .recorder
                        .broken(format!("nobody has kept leases alive for {patience:?}, yet: {left}"));
                }
                _ => tokio::time::sleep(RETRY_PAUSE).await,
            }
        }
    }

    /// The revision that nothing follows any more.
    ///
    /// Some writes more bring the store past every revision that a watcher waits for: until then etcd sends no
    /// progress to anybody on that watcher's stream.
    pub async fn last_revision(&self) -> Result<i64> {
        let mut last = None;
        for _ in 0..=mix::FUTURE_REVISIONS {
            let put = mix::plain_put(mix::MARK, self.recorder.id());
            let written = self.ask_everyone(&mut Connection::new(0), put).await;
            last = written
                .as_ref()
                .and_then(Operation::answer)
                .map(|answer| answer.revision);
        }
        last.context("no member takes a last write")
    }

    /// Every member tells all of its data, and their hash.
    pub async fn compare_members(&self, revision: i64) {
        for member in 0..self.doors.slots() {
            let mut connection = Connection::new(member);
            self.insist(&mut connection, mix::read(Span::all())).await;
            let own = Range {
                span: Span::all(),
                revision: 0,
                serializable: true,
                limit: 0,
            };
            self.insist(&mut connection, Request::Range(own)).await;
            self.insist(&mut connection, Request::Hash { revision }).await;
        }
    }

    /// Whether all members that still have it hash the same data at one revision.
    pub async fn members_agree(&self) -> bool {
        let revision = self.collected();
        let mut hashes = BTreeMap::new();
        let mut agree = true;
        for member in 0..self.doors.slots() {
            let asked = Connection::new(member)
                .ask(self, DRIVER, Request::Hash { revision })
                .await;
            let answer = asked.as_ref().and_then(Operation::answer).map(|answer| &answer.body);
            if let Some(&Body::Hash { hash, compacted }) = answer {
                agree &= *hashes.entry(compacted).or_insert(hash) == hash;
            }
        }
        agree
    }

    /// One compaction more than would happen by itself.
    pub async fn compact_now(&self, member: usize, chance: &mut Chance) {
        compactor::compact(self, &mut Connection::new(member), chance).await;
    }

    /// Asks the same member until it answers, for as long as a healthy one may need.
    async fn insist(&self, connection: &mut Connection, request: Request) -> Option<Operation> {
        let until = Instant::now() + super::DRAIN_PATIENCE;
        while Instant::now() < until {
            let asked = connection.ask(self, DRIVER, request.clone()).await;
            if let Some(operation) = asked.filter(|operation| operation.answer().is_some()) {
                return Some(operation);
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
        let member = connection.member;
        self.recorder
            .broken(format!("m{member} does not answer although nothing ails it: {request}"));
        None
    }

    /// Asks one member after the other until one answers. A write asked for twice is two writes.
    pub async fn ask_everyone(&self, connection: &mut Connection, request: Request) -> Option<Operation> {
        let until = Instant::now() + super::DRAIN_PATIENCE;
        while Instant::now() < until {
            let request = mix::renewed(&request, || self.recorder.id());
            let asked = connection.ask(self, DRIVER, request).await;
            if let Some(operation) = asked.filter(|operation| operation.answer().is_some()) {
                return Some(operation);
            }
            connection.turn_to((connection.member + 1) % self.doors.slots());
            tokio::time::sleep(RETRY_PAUSE).await;
        }
        None
    }
}

/// How many of the keys read have a lease.
fn attached(operation: &Operation) -> Option<usize> {
    match &operation.answer()?.body {
        Body::Range { pairs, .. } => Some(pairs.iter().filter(|pair| pair.lease != 0).count()),
        _ => None,
    }
}
