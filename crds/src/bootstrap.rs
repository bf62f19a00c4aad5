//! `EtcdCluster.spec.bootstrap`: what a new cluster begins with. Looked at once, before its first member is founded.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Artifact, BackupPod, BackupTarget, Encryption};

#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bootstrap {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<Restore>,
}

/// Begin with a backup's data.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Restore {
    pub source: RestoreSource,
    /// How far the revision is moved on, so that watchers and caches notice and never see one twice. 0: not at all.
    #[serde(default = "a_billion")]
    #[schemars(range(min = 0, max = 1000000000000_i64))]
    pub bump_revision: i64,
    /// All revisions of the snapshot are compacted, so that watchers have to read anew.
    #[serde(default = "yes")]
    pub mark_compacted: bool,
    /// The pod that fetches and restores.
    #[serde(default)]
    pub pod: BackupPod,
}

/// Exactly one of its fields is set.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("[has(self.backupName), has(self.scheduleName), has(self.object)].filter(one, one).size() == 1").message("exactly one of backupName, scheduleName and object is needed"))]
pub struct RestoreSource {
    /// An EtcdBackup of this namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub backup_name: Option<String>,
    /// The newest good backup of an EtcdBackupSchedule of this namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub schedule_name: Option<String>,
    /// An object: a backup whose EtcdBackup has gone, or a plain snapshot of any etcd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<RestoreObject>,
}

#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreObject {
    pub target: BackupTarget,
    /// Name within the target, its prefix left out. With a manifest beside it (`<key>.json`), what that says is
    /// checked; without, it is a plain snapshot as `etcdctl snapshot save` writes it.
    #[schemars(length(min = 1, max = 1024))]
    pub key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
}

/// `EtcdCluster.status.restore`: what was decided on, and how far it is. Kept for the time after.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RestoreStatus {
    #[serde(default)]
    pub phase: RestorePhase,
    /// The object that was decided on. A newer backup of the same schedule changes nothing any more.
    pub object: RestoreObject,
    /// The EtcdBackup that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_name: Option<String>,
    /// What the EtcdBackup says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,
    #[serde(default = "a_billion")]
    pub bump_revision: i64,
    #[serde(default = "yes")]
    pub mark_compacted: bool,
    #[serde(default)]
    pub pod: BackupPod,
    /// Attempts that failed.
    #[serde(default)]
    pub failures: i32,
    /// Why the last attempt failed, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// RFC 3339.
    #[serde(default)]
    pub started_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
}

#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RestorePhase {
    /// The first member's volume is being filled.
    #[default]
    Restoring,
    /// Another attempt would fail too: the declaration has to change.
    Failed,
    /// The first member has the data.
    Restored,
}

fn a_billion() -> i64 {
    1_000_000_000
}

fn yes() -> bool {
    true
}
