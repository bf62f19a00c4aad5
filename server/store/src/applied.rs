//! What goes into the store and what comes out of it.

use bytes::Bytes;
use taffrail_proto::etcdserverpb::{
    AlarmResponse, CompactionResponse, DeleteRangeResponse, LeaseGrantResponse, LeaseRevokeResponse, PutResponse,
    TxnResponse,
};
use taffrail_proto::mvccpb::Event;

use crate::ApplyError;

/// A place in the raft log. Stored in the same batch as the data that the log up to here produced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub term: u64,
    pub index: u64,
}

/// One committed log entry.
#[derive(Debug, Clone)]
pub struct Entry {
    pub position: Position,
    pub content: Content,
}

/// What a log entry carries.
#[derive(Debug, Clone)]
pub enum Content {
    /// A new leader's first entry; changes nothing but the position.
    Blank,
    /// An encoded `InternalRaftRequest`.
    Request(Bytes),
    /// The consensus layer's own record of who votes; kept for it, never looked into.
    Membership(Bytes),
}

/// What one entry did.
#[derive(Debug, Clone)]
pub struct Applied {
    pub position: Position,
    /// The store's revision after this entry.
    pub revision: i64,
    pub answer: Answer,
    /// Changes of keys in order of (main, sub) revision, all of one main revision. `prev_kv` is always filled
    /// where there was a previous version; `kv` of a deletion has only key and mod_revision.
    pub events: Vec<Event>,
}

/// A refused request is an answer, not a failure of the store: every member refuses it alike.
pub type Answer = Result<Response, ApplyError>;

/// The answer to a request. Headers carry the revision alone; who serves the client fills in the rest.
#[derive(Debug, Clone, PartialEq)]
pub enum Response {
    /// Entries nobody waits for: blank, membership, attributes, versions.
    Nothing,
    Put(PutResponse),
    DeleteRange(DeleteRangeResponse),
    Txn(TxnResponse),
    Compaction(CompactionResponse),
    LeaseGrant(LeaseGrantResponse),
    LeaseRevoke(LeaseRevokeResponse),
    LeaseCheckpoint,
    Alarm(AlarmResponse),
    /// Users, roles or whether they matter are as wanted. Its messages carry nothing but a header.
    Auth,
    /// The user may have the token, from the auth revision on that is told. `index` is the entry's own.
    Authenticated {
        user: String,
        auth_revision: u64,
        simple_token: String,
        index: u64,
    },
}
