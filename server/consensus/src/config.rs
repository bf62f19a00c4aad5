//! What a node is told, and what openraft is told from it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use openraft::{Config, SnapshotPolicy};

use crate::error::StartError;
use crate::peer::{Identity, Pace, Peer};

#[derive(Debug, Clone)]
pub struct NodeConfig {
    pub cluster_id: u64,
    pub member_id: u64,
    /// Drawn when the data directory was made: tells a member that lost it from the one that had it.
    pub incarnation: u64,
    /// The first membership, written into a log that is empty; absent in a member that joins a cluster.
    pub founders: Option<BTreeMap<u64, Peer>>,
    /// Makes this member, reached like this, the only one of a cluster that lost its quorum; the data stay.
    pub alone: Option<Peer>,
    /// Folder of the log segments.
    pub log_dir: PathBuf,
    pub heartbeat_interval: Duration,
    pub election_timeout: Duration,
    /// A candidate first asks whether it could win.
    pub pre_vote: bool,
    /// The founders of a cluster elect a leader without waiting for a timeout.
    pub elect_early: bool,
    /// Applied entries between two raft snapshots.
    pub snapshot_count_entries: u64,
    /// Entries kept in the log behind a raft snapshot.
    pub snapshot_catchup_entries: u64,
    /// Skips every fsync; data may be lost on power failure.
    pub unsafe_no_fsync: bool,
}

/// Client writes merged into one append.
const APPEND_ENTRIES_MAX: u64 = 4096;
/// Entries in one message to a peer; bytes are capped where the log is read.
const REPLICATION_ENTRIES_MAX: u64 = 4096;

impl NodeConfig {
    pub(crate) fn identity(&self) -> Identity {
        Identity {
            cluster_id: self.cluster_id,
            member_id: self.member_id,
            incarnation: self.incarnation,
        }
    }

    pub(crate) fn pace(&self) -> Pace {
        Pace {
            heartbeat: self.heartbeat_interval,
            election: self.election_timeout,
        }
    }

    pub(crate) fn raft(&self) -> Result<Arc<Config>, StartError> {
        // A follower first waits for the leader's lease to end, which is the larger of the two, and then for a random
        // time between them: an election begins about one and a half election timeouts after the last heartbeat.
        let election_ms = self.election_timeout.as_millis() as u64;
        let (election_min_ms, election_max_ms) = (election_ms / 2, election_ms * 3 / 4);
        let config = Config {
            cluster_name: "taffrail".into(),
            heartbeat_interval: self.heartbeat_interval.as_millis() as u64,
            election_timeout_min: election_min_ms,
            election_timeout_max: election_max_ms,
            snapshot_policy: SnapshotPolicy::LogsSinceLast(self.snapshot_count_entries.max(1)),
            max_in_snapshot_log_to_keep: self.snapshot_catchup_entries,
            max_append_entries: Some(APPEND_ENTRIES_MAX),
            max_payload_entries: REPLICATION_ENTRIES_MAX,
            api_batch_capacity: APPEND_ENTRIES_MAX,
            enable_pre_vote: Some(self.pre_vote),
            // A restarted leader must win again: its state may be behind what it had acknowledged.
            enable_leader_restore: Some(false),
            // The smallest that is allowed: a leader cut off from its quorum goes quiet for one lease and one
            // election, so that it cannot hold up the others for ever.
            quorum_loss_probe_interval: Some(2 * election_max_ms),
            ..Config::default()
        };
        config
            .validate()
            .map(Arc::new)
            .map_err(|error| StartError::Settings(error.to_string()))
    }
}
