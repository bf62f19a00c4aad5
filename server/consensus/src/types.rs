//! openraft's types as this room uses them, and the way between its log ids and our positions.
//!
//! openraft counts entries from 0 and says "none" with an `Option`; a `Position` counts from 1 and 0 is "none".

use std::any::Any;
use std::fmt;

use bytes::Bytes;
use openraft::impls::leader_id_std;
use openraft::storage::Snapshot;
use openraft::type_config::alias::{CommittedLeaderIdOf, EntryOf, LogIdOf, SnapshotMetaOf, StoredMembershipOf, VoteOf};
use taffrail_store::{Answer, Position};

use crate::peer::Peer;
use crate::state::Pinned;

openraft::declare_raft_types!(
    pub TypeConfig:
        D = Request,
        R = Answer,
        NodeId = u64,
        Node = Peer,
        LeaderId = leader_id_std::LeaderId<u64, u64>,
        AsyncRuntime = openraft_rt_tokio::TokioRuntime,
);

pub type LogId = LogIdOf<TypeConfig>;
pub type RaftEntry = EntryOf<TypeConfig>;
pub type Vote = VoteOf<TypeConfig>;
pub type StoredMembership = StoredMembershipOf<TypeConfig>;
pub type SnapshotMeta = SnapshotMetaOf<TypeConfig>;
pub type RaftSnapshot = Snapshot<CommittedLeaderIdOf<TypeConfig>, u64, Peer, SnapshotData>;

/// An encoded request; never looked into.
#[derive(Clone, PartialEq, Eq)]
pub struct Request(pub Bytes);

impl fmt::Debug for Request {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Request({} bytes)", self.0.len())
    }
}

impl fmt::Display for Request {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, out)
    }
}

/// A raft snapshot: our own state, not yet put into bytes, or one that came from another member.
pub enum SnapshotData {
    Here(Option<Pinned>),
    Received(Box<dyn Any + Send>),
}

/// Whoever leads in this term.
pub fn leader_of(term: u64) -> CommittedLeaderIdOf<TypeConfig> {
    *LogId::new_term_index(term, 0).committed_leader_id()
}

pub fn position(log_id: &LogId) -> Position {
    Position {
        term: log_id.committed_leader_id().term,
        index: log_id.index() + 1,
    }
}

pub fn position_or_none(log_id: Option<&LogId>) -> Position {
    log_id.map_or_else(Position::default, position)
}

pub fn log_id(position: Position) -> Option<LogId> {
    let index = position.index.checked_sub(1)?;
    Some(LogId::new_term_index(position.term, index))
}
