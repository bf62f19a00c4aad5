//! What a member is told at its birth; nothing in here is looked up later.

use std::time::Duration;

pub use crate::upkeep::corruption::CorruptionChecks;

/// The quota where none is given: 2 GiB, as in etcd.
pub const QUOTA_DEFAULT_BYTES: u64 = 2 << 30;

/// How often what is left of leases is replicated (etcd lessor.go).
pub const LEASE_CHECKPOINT_INTERVAL: Duration = Duration::from_secs(5 * 60);

#[derive(Debug, Clone)]
pub struct MemberConfig {
    pub cluster_id: u64,
    pub member_id: u64,
    /// Drawn when the data directory was made; published beside name and client URLs.
    pub incarnation: u64,
    pub name: String,
    pub client_urls: Vec<String>,
    /// The etcd version whose contract is spoken.
    pub version: String,
    /// Milliseconds since the epoch when the process started; makes generated ids differ between lives.
    pub started_at_ms: u64,
    /// How long a request may wait for consensus.
    pub request_timeout: Duration,
    /// No lease lives shorter than this.
    pub lease_ttl_min_s: i64,
    /// How often the leader replicates what is left of leases; none is never.
    pub lease_checkpoint_interval: Option<Duration>,
    /// What the tick of etcd's lease clock and of the upkeep is measured in.
    pub election_timeout: Duration,
    pub auth: crate::auth::AuthConfig,
    pub limits: Limits,
    pub membership: MembershipRules,
    /// None switches the quota off.
    pub quota_bytes: Option<u64>,
    pub auto_compaction: AutoCompaction,
    /// Entries and reads that take longer are worth a line and are counted.
    pub warning_apply_duration: Duration,
    pub watch_progress_interval: Duration,
    pub corruption_checks: CorruptionChecks,
    /// How often the leader looks whether a downgrade is done; none is never.
    pub downgrade_check_interval: Option<Duration>,
    /// Folder for files that live as long as a request, on the same disk as the data.
    pub scratch_dir: std::path::PathBuf,
}

/// What changes of the membership must keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MembershipRules {
    /// Refuses what would cost the quorum (etcd --strict-reconfig-check).
    pub strict: bool,
    pub learners_max: usize,
}

impl Default for MembershipRules {
    fn default() -> Self {
        MembershipRules {
            strict: true,
            learners_max: 1,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Limits {
    /// Encoded size of one proposal.
    pub request_bytes_max: usize,
    /// Encoded size of all proposals that have no answer yet.
    pub inflight_bytes_max: usize,
    /// Committed entries that may wait to be applied before writes are turned away (etcd v3_server.go).
    pub apply_lag_entries_max: u64,
    /// What one watch stream may hold for a client that does not read.
    pub watch_queue_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            request_bytes_max: 1_572_864,
            inflight_bytes_max: 256 << 20,
            apply_lag_entries_max: 5_000,
            watch_queue_bytes_max: 256 << 10,
        }
    }
}

/// When history is compacted without anyone asking (etcd v3compactor).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutoCompaction {
    Off,
    /// Keeps what happened within this time.
    Periodic(Duration),
    /// Keeps this many revisions.
    Revision(i64),
}
