//! What happened so far, for whoever scrapes it. Plain numbers; names and formats are the api's business.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use crate::MemberError;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    pub fn add(&self, n: i64) {
        self.0.fetch_add(n, Relaxed);
    }

    pub fn get(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

/// Numbers that only grow, one for each reason.
#[derive(Debug, Default)]
pub struct Reasons(Mutex<BTreeMap<MemberError, u64>>);

impl Reasons {
    pub fn add(&self, reason: MemberError) {
        *self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(reason)
            .or_default() += 1;
    }

    pub fn get(&self) -> BTreeMap<MemberError, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(Debug, Default)]
pub struct Counters {
    pub ranges: Counter,
    /// Put operations applied, those inside transactions included.
    pub puts: Counter,
    /// Keys deleted.
    pub deletes: Counter,
    pub txns: Counter,
    pub put_bytes: Counter,
    pub events: Counter,
    pub watch_streams: Gauge,
    pub watchers: Gauge,
    /// Watchers that read history instead of hearing events as they happen.
    pub watchers_behind: Gauge,
    pub events_pending: Gauge,
    pub leases_granted: Counter,
    pub leases_revoked: Counter,
    pub leases_renewed: Counter,
    pub leases_expired: Counter,
    pub read_barriers_failed: Counter,
    /// Those that got no answer in time.
    pub read_barriers_slow: Counter,
    pub slow_applies: Counter,
    pub defragmenting: Gauge,
    /// Learners promoted while this member led.
    pub learners_promoted: Counter,
    /// Promotions refused while this member led.
    pub promotions_refused: Reasons,
}
