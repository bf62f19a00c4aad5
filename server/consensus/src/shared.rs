//! Numbers that every thread of a node may read.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use taffrail_store::Position;
use tokio::sync::watch;

/// How far this member is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    pub term: u64,
    pub committed_index: u64,
    pub applied_index: u64,
}

/// How proposals fared here since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Proposals {
    pub pending: u64,
    pub failed: u64,
}

#[derive(Default)]
pub(crate) struct Shared {
    term: AtomicU64,
    committed_index: AtomicU64,
    applied_index: watch::Sender<u64>,
    /// When which leader was last heard.
    heard: Mutex<Option<(u64, Instant)>>,
    pending: AtomicU64,
    failed: AtomicU64,
    /// See `Solo` in the apply thread.
    solo: AtomicBool,
    stopped: AtomicBool,
}

impl Shared {
    pub fn progress(&self) -> Progress {
        Progress {
            // In this order, so that what is reported applied is reported committed too.
            applied_index: *self.applied_index.borrow(),
            committed_index: self.committed_index.load(Ordering::Acquire),
            term: self.term.load(Ordering::Acquire),
        }
    }

    pub fn saw_term(&self, term: u64) {
        self.term.fetch_max(term, Ordering::AcqRel);
    }

    pub fn committed(&self, position: Position) {
        self.committed_index.fetch_max(position.index, Ordering::AcqRel);
    }

    pub fn applied(&self, position: Position) {
        self.saw_term(position.term);
        self.committed(position);
        self.applied_index.send_if_modified(|index| {
            let further = position.index > *index;
            *index = position.index.max(*index);
            further
        });
    }

    /// Resolves once this index is applied; none if it never will be, because the node has stopped.
    pub async fn wait_applied(&self, index: u64) -> Option<()> {
        let mut applied = self.applied_index.subscribe();
        let reached = applied.wait_for(|applied| *applied >= index || self.is_stopped()).await;
        reached.is_ok().then_some(()).filter(|()| !self.is_stopped())
    }

    /// A message came that only a leader sends.
    pub fn heard(&self, leader: u64) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some((leader, Instant::now()));
    }

    /// How long ago this leader was last heard; none if the last one was another.
    pub fn silence(&self, leader: u64) -> Option<Duration> {
        let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.filter(|(who, _)| *who == leader).map(|(_, at)| at.elapsed())
    }

    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Whether a barrier holds without asking anyone.
    pub fn is_solo(&self) -> bool {
        self.solo.load(Ordering::Acquire) && !self.stopped.load(Ordering::Acquire)
    }

    pub fn set_solo(&self, solo: bool) {
        self.solo.store(solo, Ordering::Release);
    }

    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        // Wakes whoever waits for an index.
        self.applied_index.send_modify(|_| {});
    }

    pub fn proposals(&self) -> Proposals {
        Proposals {
            pending: self.pending.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }

    /// Counts a proposal as pending until dropped.
    pub fn pending(&self) -> Pending<'_> {
        self.pending.fetch_add(1, Ordering::Relaxed);
        Pending {
            shared: self,
            failed: true,
        }
    }
}

pub(crate) struct Pending<'a> {
    shared: &'a Shared,
    failed: bool,
}

impl Pending<'_> {
    pub fn answered(mut self) {
        self.failed = false;
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.shared.pending.fetch_sub(1, Ordering::Relaxed);
        if self.failed {
            self.shared.failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}
