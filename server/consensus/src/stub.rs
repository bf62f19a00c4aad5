//! Signatures to build the other rooms against while the inside is made.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use taffrail_store::{Answer, Applied, Applier, Store, View};
use tokio::sync::watch;

/// Hears of every applied batch, on the apply thread, after it is committed and before anyone is answered.
pub trait Listener: Send + Sync + 'static {
    fn applied(&self, batch: &[Applied], view: &View);
}

/// The replicated state and who hears of its changes.
pub struct Machine {
    pub store: Store,
    pub applier: Applier,
    pub listener: Arc<dyn Listener>,
}

#[derive(Debug, Clone)]
pub struct NodeConfig {
    pub member_id: u64,
    /// Folder of the log segments.
    pub log_dir: PathBuf,
    pub heartbeat_interval: Duration,
    pub election_timeout: Duration,
    /// Applied entries between two raft snapshots.
    pub snapshot_count_entries: u64,
    /// Entries kept in the log behind a raft snapshot.
    pub snapshot_catchup_entries: u64,
    /// Skips every fsync; data may be lost on power failure.
    pub unsafe_no_fsync: bool,
}

/// How a member is reached, replicated with the membership.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peer {
    pub peer_urls: Vec<String>,
    pub learner: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leadership {
    pub leader: Option<u64>,
    pub term: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    pub term: u64,
    pub committed_index: u64,
    pub applied_index: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{0}")]
    Log(String),
}
#[derive(Debug, thiserror::Error)]
pub enum FoundError {
    #[error("{0}")]
    Refused(String),
}

/// Why a proposal has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProposeError {
    /// Certainly not appended.
    #[error("no leader")]
    NoLeader,
    /// May or may not be applied.
    #[error("outcome unknown: the leader changed")]
    LeaderChanged,
    /// The node has stopped; may or may not be applied.
    #[error("node stopped")]
    Stopped,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum BarrierError {
    #[error("no leader")]
    NoLeader,
    #[error("leader changed")]
    LeaderChanged,
    #[error("node stopped")]
    Stopped,
}

#[derive(Clone)]
pub struct Node;
impl Node {
    /// Opens the log, replays what the store has not applied yet, and joins the elections.
    pub async fn start(_config: NodeConfig, _machine: Machine) -> Result<Node, StartError> {
        unimplemented!()
    }
    /// Whether this log has ever held anything.
    pub async fn is_founded(&self) -> bool {
        unimplemented!()
    }
    /// Writes the first membership into an empty log.
    pub async fn found(&self, _members: BTreeMap<u64, Peer>) -> Result<(), FoundError> {
        unimplemented!()
    }
    /// Answers once the entry is durable on a quorum and applied here.
    pub async fn propose(&self, _request: Bytes) -> Result<Answer, ProposeError> {
        unimplemented!()
    }
    /// Returns once everything acknowledged before the call is applied here.
    pub async fn read_barrier(&self) -> Result<(), BarrierError> {
        unimplemented!()
    }
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        unimplemented!()
    }
    pub fn progress(&self) -> Progress {
        unimplemented!()
    }
    pub fn members(&self) -> BTreeMap<u64, Peer> {
        unimplemented!()
    }
    /// Resolves with the cause if the node can no longer run: the process must stop.
    pub async fn failed(&self) -> String {
        unimplemented!()
    }
    pub async fn shutdown(&self) {
        unimplemented!()
    }
}
