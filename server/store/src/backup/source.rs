//! What a backup is made of, so that the writer needs nothing but this.

use taffrail_proto::authpb::{Role, User};
use taffrail_proto::etcdserverpb::AlarmMember;

use crate::{Lease, RangeError, StoreFailure, StoredRevision, View};

/// Everything a backup takes from the store, at one revision.
pub trait BackupSource {
    /// The newest revision.
    fn revision(&self) -> i64;
    /// The compaction floor, -1 if there was no compaction.
    fn compacted(&self) -> i64;
    /// History in ascending order of revisions: all of it above the floor, and below it what was current there.
    fn records(&self) -> Result<impl Iterator<Item = Result<StoredRevision, StoreFailure>>, RangeError>;
    fn leases(&self) -> Result<Vec<Lease>, StoreFailure>;
    fn alarms(&self) -> Vec<AlarmMember>;
    fn auth(&self) -> AuthRecords;
}

impl BackupSource for View {
    fn revision(&self) -> i64 {
        self.revision()
    }
    fn compacted(&self) -> i64 {
        self.compacted()
    }
    fn records(&self) -> Result<impl Iterator<Item = Result<StoredRevision, StoreFailure>>, RangeError> {
        self.revisions(self.revision())
    }
    fn leases(&self) -> Result<Vec<Lease>, StoreFailure> {
        self.leases()
    }
    fn alarms(&self) -> Vec<AlarmMember> {
        self.alarms()
    }
    fn auth(&self) -> AuthRecords {
        let auth = View::auth(self);
        AuthRecords {
            enabled: auth.enabled(),
            revision: auth.revision(),
            users: auth.users().cloned().collect(),
            roles: auth.roles().cloned().collect(),
        }
    }
}

/// Users, roles and whether they matter.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AuthRecords {
    pub enabled: bool,
    /// 0 where it was never written, which counts as the first, 1.
    pub revision: u64,
    pub users: Vec<User>,
    pub roles: Vec<Role>,
}

/// What a backup takes from the member that makes it.
#[derive(Debug, Clone, Default)]
pub struct BackupFacts {
    /// Log position of the state.
    pub term: u64,
    pub index: u64,
    /// The cluster version, as `3.6.0`; none before it is decided.
    pub cluster_version: Option<String>,
    /// The format's version, as `3.6.0`.
    pub storage_version: String,
    pub members: Vec<BackupMember>,
    pub removed_members: Vec<u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackupMember {
    pub id: u64,
    pub name: String,
    pub peer_urls: Vec<String>,
    pub client_urls: Vec<String>,
    pub is_learner: bool,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupSummary {
    pub revision: i64,
    pub records: u64,
    pub bytes: u64,
}
