//! How the operator speaks to members: etcd's public API and nothing else, so that any etcd can be kept.
//!
//! Enters: where a member is and how to get in. Leaves: what it said, or why it could not be asked. No call here is
//! repeated by itself: whoever calls looks again first.

mod access;
mod calls;
mod channels;
mod client;
mod convert;
mod data;
mod http;
mod refusal;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;

pub use access::{AccessChange, Permission, PermissionKind};
pub use client::EtcdClient;
pub use data::{Counted, DataError, Hashed, Snapshot};

/// Where one member is reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// URL with the address that is dialled, as `https://10.244.0.7:2379`.
    pub url: String,
    /// The name that its certificate must be for.
    pub server_name: String,
}

/// How to get in.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Access {
    pub tls: Option<ClientTls>,
    /// Name and password; a token is asked for with them.
    pub user: Option<(String, String)>,
}

/// PEM.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ClientTls {
    pub authorities: String,
    pub certificate: String,
    pub key: String,
}

/// What one member says of itself; asking needs no quorum.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct MemberFacts {
    pub member_id: u64,
    pub cluster_id: u64,
    /// The version spoken, as `3.6.14`.
    pub version: String,
    /// 0 if it knows none.
    pub leader_id: u64,
    pub is_learner: bool,
    pub raft_term: u64,
    /// Last entry of its log.
    pub raft_index: u64,
    pub raft_applied_index: u64,
    pub revision: i64,
    pub db_size_bytes: i64,
    pub db_size_in_use_bytes: i64,
    /// What Status calls errors: `etcdserver: no leader`, alarms.
    pub errors: Vec<String>,
    /// The cluster's version, of whose features all may be used; empty if the member does not tell.
    pub storage_version: String,
}

impl MemberFacts {
    /// Members whose data etcd found to differ, by what Status tells of alarms: `memberID:NUMBER alarm:CORRUPT`.
    pub fn corrupt(&self) -> impl Iterator<Item = u64> {
        let alarms = self
            .errors
            .iter()
            .filter_map(|error| error.trim().strip_prefix("memberID:"));
        alarms.filter_map(|alarm| alarm.strip_suffix(" alarm:CORRUPT")?.parse().ok())
    }
}

/// etcd's own list of members, read with a quorum.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Roster {
    pub cluster_id: u64,
    pub members: Vec<RosterMember>,
}

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RosterMember {
    pub id: u64,
    /// Empty until it has started once.
    pub name: String,
    pub peer_urls: Vec<String>,
    pub client_urls: Vec<String>,
    pub is_learner: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AlarmKind {
    NoSpace,
    Corrupt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Alarm {
    pub member_id: u64,
    pub kind: AlarmKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Downgrade {
    Validate,
    Enable,
    Cancel,
}

/// Why a member could not be asked or would not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EtcdError {
    /// No connection, or it broke: the call may or may not have had its effect.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// No answer in time: the call may or may not have had its effect.
    #[error("did not answer within {0} s")]
    TimedOut(u64),
    /// The certificate that it shows, or ours, is not accepted.
    #[error("TLS: {0}")]
    Tls(String),
    /// There is no leader, or no quorum behind it.
    #[error("no quorum: {0}")]
    NoQuorum(String),
    /// User, password, token or permission.
    #[error("not let in: {0}")]
    Denied(String),
    /// No such member: to whoever wanted it gone, that is success.
    #[error("no such member")]
    MemberNotFound,
    /// The peer URL is in the list already.
    #[error("the peer URL is in etcd's list of members already")]
    PeerUrlExists,
    /// A learner is there already and etcd allows no more.
    #[error("there is a learner already")]
    TooManyLearners,
    #[error("the learner is not yet in sync with the leader")]
    LearnerNotReady,
    /// To whoever wanted it promoted, that is success.
    #[error("it is a voter already")]
    NotLearner,
    /// etcd's own check: the change would cost the quorum, or a member just started.
    #[error("etcd refuses: {0}")]
    Unhealthy(String),
    /// Anything else, in etcd's words.
    #[error("{0}")]
    Refused(String),
}

/// The operator's side of etcd's API. Calls of membership go to any of `through`, tried in their order until one
/// answers; those of one member to that member.
#[async_trait]
pub trait Etcd: Send + Sync {
    /// Maintenance.Status.
    async fn facts(&self, access: &Access, member: &Endpoint) -> Result<MemberFacts, EtcdError>;
    /// Cluster.MemberList, linearizable.
    async fn roster(&self, access: &Access, through: &[Endpoint]) -> Result<Roster, EtcdError>;
    /// Cluster.MemberList as this one knows it, which may be the past. Learners do not tell.
    async fn listed(&self, access: &Access, member: &Endpoint) -> Result<Roster, EtcdError> {
        let _ = (access, member);
        Err(unsupported())
    }
    /// Cluster.MemberAdd as learner; answers its ID.
    async fn add_learner(&self, access: &Access, through: &[Endpoint], peer_url: &str) -> Result<u64, EtcdError>;
    async fn promote(&self, access: &Access, through: &[Endpoint], member_id: u64) -> Result<(), EtcdError>;
    async fn remove(&self, access: &Access, through: &[Endpoint], member_id: u64) -> Result<(), EtcdError>;
    /// Maintenance.MoveLeader, which only the leader does.
    async fn move_leader(&self, access: &Access, leader: &Endpoint, to_member_id: u64) -> Result<(), EtcdError>;
    async fn alarms(&self, access: &Access, through: &[Endpoint]) -> Result<Vec<Alarm>, EtcdError>;
    async fn disarm(&self, access: &Access, through: &[Endpoint], alarm: Alarm) -> Result<(), EtcdError>;
    /// Maintenance.Downgrade; `version` as `3.5.0`.
    async fn downgrade(
        &self,
        access: &Access,
        through: &[Endpoint],
        action: Downgrade,
        version: &str,
    ) -> Result<(), EtcdError>;
    /// The cluster's version as `/version` of one member tells it, as `3.6.0`.
    async fn cluster_version(&self, access: &Access, member: &Endpoint) -> Result<String, EtcdError>;
    /// `/readyz` of its metrics listener (plain HTTP, `http://ADDRESS:2381`): answers what is not ok, if anything.
    async fn ready(&self, metrics_url: &str) -> Result<(), EtcdError>;

    /// Whether authentication is on.
    async fn auth_enabled(&self, access: &Access, through: &[Endpoint]) -> Result<bool, EtcdError>;
    /// Makes the user with the role root if it is not there, gives it the password if it is.
    async fn set_root(&self, access: &Access, through: &[Endpoint], password: &str) -> Result<(), EtcdError>;
    async fn enable_auth(&self, access: &Access, through: &[Endpoint]) -> Result<(), EtcdError>;
    async fn disable_auth(&self, access: &Access, through: &[Endpoint]) -> Result<(), EtcdError>;
    /// Whether name and password are accepted (Auth.Authenticate).
    async fn authenticates(
        &self,
        access: &Access,
        through: &[Endpoint],
        name: &str,
        password: &str,
    ) -> Result<bool, EtcdError>;
    /// Whether a TLS handshake with `tls` succeeds there and a request gets through: what a rotation of authorities
    /// waits for. `url` may be a client or a peer URL.
    async fn trusts(&self, tls: &ClientTls, at: &Endpoint) -> Result<bool, EtcdError>;

    /// Maintenance.Defragment of one member, which a stock etcd answers nobody during. `patience` instead of the usual
    /// deadline.
    async fn defragment(&self, access: &Access, member: &Endpoint, patience: Duration) -> Result<(), EtcdError> {
        let _ = (access, member, patience);
        Err(unsupported())
    }
    /// KV.Compact; a revision that was compacted before counts as done.
    async fn compact(&self, access: &Access, through: &[Endpoint], revision: i64) -> Result<(), EtcdError> {
        let _ = (access, through, revision);
        Err(unsupported())
    }
    /// Roles that the user has; none if there is no such user.
    async fn user(
        &self,
        access: &Access,
        through: &[Endpoint],
        name: &str,
    ) -> Result<Option<BTreeSet<String>>, EtcdError> {
        let _ = (access, through, name);
        Err(unsupported())
    }
    /// Permissions of the role; none if there is no such role.
    async fn role(
        &self,
        access: &Access,
        through: &[Endpoint],
        name: &str,
    ) -> Result<Option<BTreeSet<Permission>>, EtcdError> {
        let _ = (access, through, name);
        Err(unsupported())
    }
    /// Changes users and roles. What is gone already counts as removed; what is there already is told.
    async fn change_access(
        &self,
        access: &Access,
        through: &[Endpoint],
        change: &AccessChange,
    ) -> Result<(), EtcdError> {
        let _ = (access, through, change);
        Err(unsupported())
    }
}

/// For those who stand in for etcd in tests and know less than it.
fn unsupported() -> EtcdError {
    EtcdError::Refused("not known here".into())
}
