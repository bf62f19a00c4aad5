//! `EtcdCluster.status`: what is the case.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is the case. Only the operator writes it; all but `nextSerial`, `clusterId`, `recovery` and `access` can be seen anew.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct EtcdClusterStatus {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Members there are.
    #[serde(default)]
    pub replicas: i32,
    /// Voters that are healthy.
    #[serde(default)]
    pub ready_replicas: i32,
    /// Members that run what is declared.
    #[serde(default)]
    pub updated_replicas: i32,
    /// `2/3`, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<String>,
    /// Labels of the members' pods, for the scale sub-resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// One word for people: Creating, Running, Scaling, Updating, Repairing, Degraded, Unavailable, QuorumLost, Recovering, Hibernated,
    /// Paused, Invalid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// The step that is being taken or waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doing: Option<String>,
    /// etcd's ID of the cluster in hexadecimal digits. Once it is here, no member ever founds a cluster again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<String>,
    /// Name of the member that leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<String>,
    /// The lowest version that a member runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The number of the next member's name.
    #[serde(default)]
    pub next_serial: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub members: Vec<MemberSummary>,
    /// URLs of the members, for clients that spread themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<String>,
    /// URL of the Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Secret with `ca.crt`, `tls.crt`, `tls.key` and `endpoints` for applications.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<UpgradeStatus>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub certificates: Vec<CertificateStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<RecoveryStatus>,
    /// The restore that it began with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<crate::RestoreStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roll_back: Option<RollBackStatus>,
    /// Its backups at a glance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<crate::BackupSummary>,
    /// Users and roles that are kept for EtcdUsers and EtcdRoles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<crate::AccessRecord>,
    /// Authentication is on in etcd.
    #[serde(default)]
    pub auth_enabled: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// One member at a glance.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct MemberSummary {
    pub name: String,
    /// etcd's ID in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// leader, follower or learner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    #[serde(default)]
    pub healthy: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub db_size_bytes: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raft_term: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raft_index: Option<i64>,
}

/// A change of version or of anything else that restarts members.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct UpgradeStatus {
    /// The lowest version that still runs.
    #[serde(default)]
    pub from: String,
    #[serde(default)]
    pub to: String,
    /// `1/3` members are done.
    #[serde(default)]
    pub progress: String,
    /// The member that is being changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_by: Option<String>,
}

/// How long a certificate lasts.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct CertificateStatus {
    /// client-ca, peer-ca, server, peer, client, operator.
    pub name: String,
    /// RFC 3339.
    pub not_after: String,
    /// Step of a rotation of its authority, if one is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<String>,
}

/// A living cluster on its way back to a backup.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RollBackStatus {
    pub phase: RollBackPhase,
    /// The EtcdBackup.
    pub to: String,
    /// RFC 3339.
    #[serde(default)]
    pub started_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
}

#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RollBackPhase {
    /// Every member is stopped.
    Stopping,
    /// The members' records go, and their volumes are kept for people.
    KeepingAside,
    /// Done but for the restore, which goes as that of a new cluster.
    Done,
}

/// How a cluster without quorum goes on.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryStatus {
    /// The member that goes on.
    pub survivor: String,
    pub phase: RecoveryPhase,
    /// The volume claim that its data were copied to first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_aside: Option<String>,
    /// RFC 3339.
    #[serde(default)]
    pub started: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<String>,
}

#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum RecoveryPhase {
    /// Every member is stopped.
    #[default]
    Stopping,
    /// The survivor's data are copied.
    KeepingAside,
    /// The survivor starts with `--force-new-cluster`.
    Forcing,
    /// The survivor starts again without it; the others' records go.
    Restarting,
    /// The survivor serves; scaling out makes new members.
    Done,
}
