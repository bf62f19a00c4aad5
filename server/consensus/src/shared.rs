//! Numbers that every thread of a node may read.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use taffrail_store::Position;

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
    applied_index: AtomicU64,
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
            applied_index: self.applied_index.load(Ordering::Acquire),
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
        self.applied_index.fetch_max(position.index, Ordering::AcqRel);
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
