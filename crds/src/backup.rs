//! `EtcdBackup`: one backup, on demand or by a schedule. `EtcdBackupSchedule`: when they are made and how long kept.

use k8s_openapi::api::core::v1::{ResourceRequirements, Toleration};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::tls::is_false;
use crate::{BackupTarget, Compression, Encryption};

/// One backup of an EtcdCluster.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "etcd.taffrail.dev",
    version = "v1alpha1",
    kind = "EtcdBackup",
    plural = "etcdbackups",
    namespaced,
    status = "EtcdBackupStatus",
    shortname = "etcdb",
    category = "all",
    derive = "PartialEq",
    printcolumn(name = "Cluster", type_ = "string", json_path = ".spec.clusterRef.name"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Revision", type_ = "integer", json_path = ".status.artifact.revision"),
    printcolumn(name = "Size", type_ = "integer", json_path = ".status.artifact.sizeBytes"),
    printcolumn(name = "Verified", type_ = "date", json_path = ".status.verification.verifiedAt"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.reason", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("size(self.metadata.name) <= 63").message("the name of a backup has at most 63 characters"),
    validation = Rule::new("self.spec == oldSelf.spec").message("a backup is of one cluster in one place for good: make another one")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EtcdBackupSpec {
    pub cluster_ref: ClusterRef,
    pub target: BackupTarget,
    #[serde(default)]
    pub compression: Compression,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// Restore it into a throw-away member at once, and compare.
    #[serde(default, skip_serializing_if = "is_false")]
    pub verify: bool,
    /// Seconds after which an attempt is given up.
    #[serde(default = "one_hour")]
    #[schemars(range(min = 10, max = 604800))]
    pub deadline_seconds: i64,
    /// Attempts after the first.
    #[serde(default = "three")]
    #[schemars(range(min = 0, max = 10))]
    pub retries: i32,
    /// The pods that do the work.
    #[serde(default)]
    pub pod: BackupPod,
}

/// An EtcdCluster of the same namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterRef {
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// What may be said about the pods that do the work.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackupPod {
    /// Whose identity an object store knows. Default: the namespace's default account, whose token is not mounted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Room for verification and restore beside the data: the size limit of a scratch volume. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scratch_size: Option<String>,
}

/// What became of a backup.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct EtcdBackupStatus {
    #[serde(default)]
    pub phase: BackupPhase,
    /// One word why, and a sentence that says what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
    /// Attempts so far.
    #[serde(default)]
    pub attempts: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BackupPhase {
    #[default]
    Pending,
    Running,
    /// It is there, and is being restored into a throw-away member.
    Verifying,
    Succeeded,
    /// There is none.
    Failed,
    /// It is there, and is not what was in the cluster.
    Unusable,
    /// Retention has removed it from the store.
    Expired,
}

/// What lies in the store. The manifest beside the object says the same.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// For people: `s3://bucket/prefix/key`.
    #[serde(default)]
    pub uri: String,
    /// Name of the object within the target, its prefix left out; the manifest's is `<key>.json`.
    #[serde(default)]
    pub key: String,
    /// Bytes of the object.
    #[serde(default)]
    pub size_bytes: i64,
    /// Bytes of the snapshot in it.
    #[serde(default)]
    pub snapshot_bytes: i64,
    /// Of the object, hexadecimal.
    #[serde(default)]
    pub sha256: String,
    /// Of the snapshot in it, hexadecimal; the 32 bytes of digest at its end left out.
    #[serde(default)]
    pub snapshot_sha256: String,
    /// The snapshot holds this revision and perhaps a few later ones.
    #[serde(default)]
    pub revision: i64,
    /// HashKV at that revision, as the member told it, and the revision it had been compacted to.
    #[serde(default)]
    pub hash_kv: i64,
    #[serde(default)]
    pub compact_revision: i64,
    /// Keys at that revision.
    #[serde(default)]
    pub keys: i64,
    /// Hexadecimal.
    #[serde(default)]
    pub cluster_id: String,
    /// Version of etcd that the member spoke.
    #[serde(default)]
    pub etcd_version: String,
    #[serde(default)]
    pub compression: Compression,
    #[serde(default, skip_serializing_if = "is_false")]
    pub encrypted: bool,
    /// The member it was taken from.
    #[serde(default)]
    pub member: String,
    /// RFC 3339: when the snapshot began.
    #[serde(default)]
    pub taken_at: String,
}

/// What a throw-away member said.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// RFC 3339; absent as long as it has not succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<String>,
    #[serde(default)]
    pub revision: i64,
    #[serde(default)]
    pub keys: i64,
    #[serde(default)]
    pub hash_kv: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// When backups of an EtcdCluster are made, and which are kept.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "etcd.taffrail.dev",
    version = "v1alpha1",
    kind = "EtcdBackupSchedule",
    plural = "etcdbackupschedules",
    namespaced,
    status = "EtcdBackupScheduleStatus",
    shortname = "etcdbs",
    derive = "PartialEq",
    printcolumn(name = "Cluster", type_ = "string", json_path = ".spec.template.clusterRef.name"),
    printcolumn(name = "Schedule", type_ = "string", json_path = ".spec.schedule"),
    printcolumn(name = "Suspend", type_ = "boolean", json_path = ".spec.suspend"),
    printcolumn(name = "Last success", type_ = "date", json_path = ".status.lastSuccessfulTime"),
    printcolumn(name = "Next", type_ = "string", json_path = ".status.nextScheduleTime"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("size(self.metadata.name) <= 52").message("the name of a schedule has at most 52 characters: backups are called after it")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EtcdBackupScheduleSpec {
    /// Five fields of cron, or `@hourly`, `@daily`, `@weekly`, `@monthly`.
    #[schemars(length(min = 1, max = 128))]
    pub schedule: String,
    /// As `Europe/Berlin`. Default UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
    /// What to do if the last one is still being made.
    #[serde(default)]
    pub concurrency_policy: ConcurrencyPolicy,
    /// A backup that could not begin so many seconds after its time is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub starting_deadline_seconds: Option<i64>,
    /// EtcdBackups that are kept to look at; what lies in the store is kept by `retention`.
    #[serde(default = "three")]
    #[schemars(range(min = 0, max = 1000))]
    pub successful_backups_history_limit: i32,
    #[serde(default = "three")]
    #[schemars(range(min = 0, max = 1000))]
    pub failed_backups_history_limit: i32,
    /// Make the first one at once.
    #[serde(default, skip_serializing_if = "is_false")]
    pub immediate: bool,
    /// Absent: everything is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<BackupRetention>,
    /// Every so manieth backup is restored into a throw-away member. 0: none; 1: all.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1000))]
    pub verify_every: i32,
    pub template: EtcdBackupSpec,
}

#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ConcurrencyPolicy {
    /// Both go on.
    Allow,
    /// The new one is left out.
    #[default]
    Forbid,
    /// The old one is given up.
    Replace,
}

/// Which backups of one schedule are kept in the store: whatever one of these rules keeps. The newest good one, and
/// the newest verified one, are always kept.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.last) || has(self.within) || has(self.hourly) || has(self.daily) || has(self.weekly) || has(self.monthly) || has(self.yearly)").message("a retention without a rule would keep nothing: leave it out to keep everything"))]
pub struct BackupRetention {
    /// So many of the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub last: Option<i32>,
    /// All that are younger: `72h`, `30d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(validation = Rule::new("self.matches('^[1-9][0-9]*[mhdw]$')").message("is a number with m, h, d or w behind it: 72h, 30d"))]
    pub within: Option<String>,
    /// The newest of each of so many hours, days, weeks, months and years that have one (UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub hourly: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub daily: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub weekly: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub monthly: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub yearly: Option<i32>,
}

#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct EtcdBackupScheduleStatus {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// RFC 3339, all of them. The time that the last backup was due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_schedule_time: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_successful_time: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_verified_time: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_schedule_time: Option<String>,
    /// EtcdBackups that are being made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub active: Vec<String>,
    /// The newest one that is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_backup: Option<String>,
    /// Backups made since the last verified one began.
    #[serde(default)]
    pub since_verified: i32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// `EtcdCluster.status.backup`: its backups at a glance. Written by who makes backups, not by who keeps the cluster.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct BackupSummary {
    /// RFC 3339, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_successful_backup: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_verified_backup: Option<String>,
    /// Name of the newest EtcdBackup that is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_backup_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_revision: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failed_backup: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<String>,
    /// What the condition BackupReady says.
    #[serde(default)]
    pub ready: bool,
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub message: String,
}

fn one_hour() -> i64 {
    3600
}

fn three() -> i32 {
    3
}
