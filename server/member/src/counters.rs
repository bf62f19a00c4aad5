//! What happened so far, for whoever scrapes it. Plain numbers; names and formats are the api's business.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::{Histogram, MemberError, operations};

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

    pub fn set(&self, n: i64) {
        self.0.store(n, Relaxed);
    }

    pub fn get(&self) -> i64 {
        self.0.load(Relaxed)
    }

    /// One more until the guard is dropped.
    pub fn enter(&self) -> Entered<'_> {
        self.add(1);
        Entered(self)
    }
}

/// See [`Gauge::enter`].
pub struct Entered<'a>(&'a Gauge);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.add(-1);
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

/// Times of one kind of work, those that failed apart.
#[derive(Debug)]
pub struct Times {
    pub success: Histogram,
    pub failure: Histogram,
}

impl Default for Times {
    /// From a tenth of a millisecond to almost a minute (etcd txn/metrics.go).
    fn default() -> Self {
        let new = || Histogram::new(0.0001, 20);
        Times {
            success: new(),
            failure: new(),
        }
    }
}

impl Times {
    pub fn observe(&self, success: bool, took: Duration) {
        let times = if success { &self.success } else { &self.failure };
        times.observe(took.as_secs_f64());
    }
}

/// Times of evaluating entries, one for each kind, in the order of [`operations`].
#[derive(Debug)]
pub struct Applies(pub Box<[Times]>);

impl Default for Applies {
    fn default() -> Self {
        Applies(operations().map(|_| Times::default()).collect())
    }
}

/// What compactions and hashes took.
#[derive(Debug)]
pub struct UpkeepTimes {
    /// Reclaiming after one compaction, in milliseconds.
    pub compaction_ms: Histogram,
    pub defrag_s: Histogram,
    pub hash_s: Histogram,
    pub hash_kv_s: Histogram,
    /// Handing a batch of entries to the engine.
    pub commit_s: Histogram,
}

impl Default for UpkeepTimes {
    /// Buckets are etcd's (mvcc/metrics.go, backend/metrics.go).
    fn default() -> Self {
        UpkeepTimes {
            compaction_ms: Histogram::new(100.0, 14),
            defrag_s: Histogram::new(0.1, 13),
            hash_s: Histogram::new(0.01, 15),
            hash_kv_s: Histogram::new(0.01, 15),
            commit_s: Histogram::new(0.001, 14),
        }
    }
}

#[derive(Debug)]
pub struct LeaseTtls(pub Histogram);

impl Default for LeaseTtls {
    /// In seconds (etcd lease/metrics.go).
    fn default() -> Self {
        LeaseTtls(Histogram::new(1.0, 24))
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
    /// Entries and reads that took longer than the member was told to expect.
    pub slow_applies: Counter,
    pub applies: Applies,
    /// Reading ranges, without waiting for what was acknowledged before.
    pub range_times: Times,
    pub lease_ttls: LeaseTtls,
    pub upkeep: UpkeepTimes,
    /// Unix time of the last compaction whose space was given back, in seconds; 0 before the first.
    pub last_compaction_s: Gauge,
    /// Long reads under way: ranges, hashes and backups that left the async workers.
    pub long_reads: Gauge,
    pub defragmenting: Gauge,
    /// Learners promoted while this member led.
    pub learners_promoted: Counter,
    /// Promotions refused while this member led.
    pub promotions_refused: Reasons,
}
