//! Hands every applied revision to the live watchers of its keys.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use taffrail_proto::mvccpb::Event;
use taffrail_store::Applied;
use tokio::sync::watch;

use super::index::Index;
use super::recent::{Change, Recent};
use super::watcher::Watcher;
use crate::counters::Counters;

/// Events kept in memory for those who are a little behind.
const RECENT_BYTES_MAX: usize = 16 << 20;

pub(crate) struct Hub {
    live: Mutex<Live>,
    serial: AtomicU64,
    closed: watch::Sender<bool>,
    pub(super) counters: Arc<Counters>,
}

/// Everything that must change in step with the revision.
pub(super) struct Live {
    /// The newest revision handed out.
    pub revision: i64,
    pub index: Index,
    pub recent: Recent,
}

impl Hub {
    pub fn new(revision: i64, counters: Arc<Counters>) -> Self {
        let recent = Recent::new(revision, RECENT_BYTES_MAX);
        let live = Live {
            revision,
            index: Index::default(),
            recent,
        };
        Hub {
            live: Mutex::new(live),
            serial: AtomicU64::new(0),
            closed: watch::Sender::new(false),
            counters,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn next_serial(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    /// Called on the apply thread for each batch, before its writers are answered.
    pub fn publish(&self, batch: &[Applied]) {
        let mut live = self.lock();
        for applied in batch {
            live.revision = live.revision.max(applied.revision);
            if let Some(revision) = applied.events.first().and_then(revision_of) {
                live.dispatch(Arc::new(Change::new(revision, &applied.events)));
            }
        }
    }

    /// The state was replaced by a later one: everybody reads in history what was jumped over.
    pub fn jump(&self, revision: i64) {
        let mut live = self.lock();
        let next = live.revision + 1;
        for watcher in live.index.all() {
            if !watcher.stream.jumped(&watcher, next, revision) {
                live.index.remove(&watcher);
            }
        }
        live.revision = live.revision.max(revision);
        live.recent = Recent::new(live.revision, RECENT_BYTES_MAX);
    }

    /// Ends every stream: nothing will be said any more.
    pub fn close(&self) {
        self.closed.send_replace(true);
    }

    pub(super) fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    /// Resolves when nothing will be said any more.
    pub async fn closed(&self) {
        // An error means that the hub is gone, which is as closed as can be.
        let _ = self.closed.subscribe().wait_for(|closed| *closed).await;
    }
}

impl Live {
    fn dispatch(&mut self, change: Arc<Change>) {
        for (watcher, events) in self.wanted(&change) {
            if !watcher.stream.deliver(&watcher, change.revision, events) {
                self.index.remove(&watcher);
            }
        }
        self.recent.push(change);
    }

    /// Who is to hear of what. Most changes are one event, which needs no gathering.
    fn wanted(&self, change: &Change) -> Vec<(Arc<Watcher>, Vec<Arc<Event>>)> {
        let mut wanted: Vec<(Arc<Watcher>, Vec<Arc<Event>>)> = Vec::new();
        let mut places: HashMap<u64, usize> = HashMap::new();
        let single = change.events.len() == 1;
        for event in &change.events {
            let Some(kv) = &event.kv else { continue };
            self.index.for_each(&kv.key, |watcher| {
                if !watcher.wants(event) {
                    return;
                }
                if single {
                    return wanted.push((Arc::clone(watcher), vec![Arc::clone(event)]));
                }
                let place = *places.entry(watcher.serial).or_insert_with(|| {
                    wanted.push((Arc::clone(watcher), Vec::new()));
                    wanted.len() - 1
                });
                wanted[place].1.push(Arc::clone(event));
            });
        }
        wanted
    }
}

fn revision_of(event: &Event) -> Option<i64> {
    event.kv.as_ref().map(|kv| kv.mod_revision)
}
