//! Signatures to build the other rooms against while the inside is made.

use crate::{
    Applied, Compacted, Entry, EventsError, OpenError, Position, RangeError, StoreFailure,
};
use bytes::Bytes;
use std::path::Path;
use taffrail_proto::etcdserverpb::{
    AlarmMember, RangeRequest, RangeResponse, TxnRequest, TxnResponse,
};
use taffrail_proto::membershippb;
use taffrail_proto::mvccpb::Event;

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Block cache, shared by all keyspaces.
    pub cache_bytes: u64,
    /// Memtable of the keyspaces that take values.
    pub memtable_bytes: u64,
    /// Previous records kept at hand by the applier.
    pub recent_records_bytes: u64,
}
impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 64 << 20,
            memtable_bytes: 32 << 20,
            recent_records_bytes: 32 << 20,
        }
    }
}

#[derive(Clone)]
pub struct Store;
impl Store {
    /// Opens the store in `dir`, creating it when the folder is empty or absent.
    pub fn open(_dir: &Path, _options: &Options) -> Result<(Store, Applier), OpenError> {
        unimplemented!()
    }
    /// The newest committed state. Cheap.
    pub fn view(&self) -> View {
        unimplemented!()
    }
    /// Makes everything applied so far durable; blocks for an fsync. Returns the position that is now durable.
    pub fn persist(&self) -> Result<Position, StoreFailure> {
        unimplemented!()
    }
    /// Drops physically what the compaction floor allows; blocks. Returns the logical bytes let go.
    pub fn clean(&self) -> Result<u64, StoreFailure> {
        unimplemented!()
    }
    pub fn sizes(&self) -> Sizes {
        unimplemented!()
    }
}

/// Bytes and counts of what is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Logical bytes of live keys, kept history, and history below the floor that is not yet dropped.
    pub total_bytes: u64,
    /// Logical bytes of live keys and history at or above the floor.
    pub in_use_bytes: u64,
    /// Bytes on disk as the engine counts them.
    pub disk_bytes: u64,
    pub keys: u64,
}

/// The only writer of a store.
pub struct Applier;
impl Applier {
    pub fn position(&self) -> Position {
        unimplemented!()
    }
    /// Applies entries in order in one engine batch; not fsynced.
    pub fn apply(&mut self, _entries: &[Entry]) -> Result<Vec<Applied>, StoreFailure> {
        unimplemented!()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    pub id: i64,
    pub ttl_s: i64,
    pub remaining_ttl_s: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashKv {
    pub hash: u32,
    pub compact_revision: i64,
    pub hash_revision: i64,
}

/// A stretch of history.
#[derive(Debug, Clone, Default)]
pub struct EventBatch {
    /// In revision order, whole main revisions only.
    pub events: Vec<Event>,
    /// Every event below this revision has been given; read on from here.
    pub next_revision: i64,
}

/// Everything at one revision, read-only.
#[derive(Clone)]
pub struct View;
impl View {
    pub fn revision(&self) -> i64 {
        unimplemented!()
    }
    /// The compaction floor: the oldest readable revision; -1 before the first compaction, as etcd counts.
    pub fn compacted(&self) -> i64 {
        unimplemented!()
    }
    pub fn position(&self) -> Position {
        unimplemented!()
    }
    /// The consensus layer's last membership record and where in the log it stood.
    pub fn consensus_membership(&self) -> Option<(Position, Bytes)> {
        unimplemented!()
    }
    /// header.revision is set, the rest of the header is not.
    pub fn range(&self, _request: &RangeRequest) -> Result<RangeResponse, RangeError> {
        unimplemented!()
    }
    /// A transaction whose operations are all plain ranges.
    pub fn txn(&self, _request: &TxnRequest) -> Result<TxnResponse, RangeError> {
        unimplemented!()
    }
    /// Events with `from <= mod_revision <= self.revision()` of keys that `wanted` accepts, whole revisions, at most
    /// about `events_max` events or `bytes_max` bytes (at least one revision). Refused if `from` is below the floor.
    pub fn events(
        &self,
        _from: i64,
        _events_max: usize,
        _bytes_max: usize,
        _wanted: &dyn Fn(&[u8]) -> bool,
    ) -> Result<EventBatch, EventsError> {
        unimplemented!()
    }
    pub fn lease(&self, _id: i64) -> Result<Option<Lease>, StoreFailure> {
        unimplemented!()
    }
    pub fn leases(&self) -> Result<Vec<Lease>, StoreFailure> {
        unimplemented!()
    }
    /// Attached keys, sorted.
    pub fn lease_keys(&self, _id: i64) -> Result<Vec<Bytes>, StoreFailure> {
        unimplemented!()
    }
    pub fn alarms(&self) -> Vec<AlarmMember> {
        unimplemented!()
    }
    pub fn member_attributes(&self, _id: u64) -> Option<membershippb::Attributes> {
        unimplemented!()
    }
    pub fn cluster_version(&self) -> Option<String> {
        unimplemented!()
    }
    /// etcd's own HashKV of the logical contents; `revision` 0 means this view's.
    pub fn hash_kv(&self, _revision: i64) -> Result<HashKv, RangeError> {
        unimplemented!()
    }
    /// A hash of everything that is replicated.
    pub fn hash(&self) -> Result<u32, StoreFailure> {
        unimplemented!()
    }
}
#[allow(dead_code)]
fn _c(_: Compacted) {}
