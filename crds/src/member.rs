//! `EtcdMember`: one member, the operator's own record. Its name is never used again.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tls::is_false;

/// One member of an EtcdCluster. Made and removed by the operator.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "etcd.taffrail.dev",
    version = "v1alpha1",
    kind = "EtcdMember",
    plural = "etcdmembers",
    namespaced,
    status = "EtcdMemberStatus",
    shortname = "etcdm",
    derive = "PartialEq",
    printcolumn(name = "Cluster", type_ = "string", json_path = ".spec.clusterName"),
    printcolumn(name = "ID", type_ = "string", json_path = ".spec.memberId"),
    printcolumn(name = "Role", type_ = "string", json_path = ".status.role"),
    printcolumn(name = "Healthy", type_ = "boolean", json_path = ".status.healthy"),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.version"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("self.clusterName == oldSelf.clusterName && self.serial == oldSelf.serial && self.peerUrl == oldSelf.peerUrl").message("a member's cluster, serial number and peer URL never change"))]
pub struct EtcdMemberSpec {
    #[schemars(length(min = 1, max = 253))]
    pub cluster_name: String,
    /// The number at the end of its name; every member of a cluster has another.
    pub serial: i64,
    /// Where the others reach it; what it is looked up by in etcd's list of members.
    #[schemars(length(min = 1, max = 512))]
    pub peer_url: String,
    /// The one that founds the cluster.
    #[serde(default, skip_serializing_if = "is_false")]
    pub seed: bool,
    /// Storage class of its volume; changes of the cluster's class replace the member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_name: Option<String>,
    /// etcd's ID in hexadecimal digits, written down once etcd has it in its list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_id: Option<String>,
    /// `--initial-cluster` of its first start, written down together with the ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_cluster: Option<String>,
    /// UID of the volume claim that holds its data, written down before the first start: another one is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_uid: Option<String>,
    /// The object whose data its volume was filled with before its first start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_from: Option<String>,
    /// It is on its way out, and why. Written down before etcd is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaving: Option<Leaving>,
    /// Start it once with `--force-new-cluster`: the one that goes on after the quorum was lost.
    #[serde(default, skip_serializing_if = "is_false")]
    pub force_new_cluster: bool,
}

/// Why a member leaves.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Leaving {
    pub reason: LeavingReason,
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub message: String,
}

#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeavingReason {
    /// Fewer members were asked for.
    ScaleIn,
    /// A new one takes its place: another storage class, plain or TLS between members, or somebody asked for it.
    Replaced,
    /// It was away for too long.
    Lost,
    /// Its data are gone or cannot be read.
    DataLost,
    /// etcd found its data to differ from the others'.
    Corrupt,
    /// It never became a voter.
    Stuck,
    /// Another member went on alone after the quorum was lost; the volume claim is kept.
    QuorumRecovery,
    /// The cluster went back to a backup; the volume claim is kept.
    RolledBack,
}

/// What was last seen of a member.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct EtcdMemberStatus {
    /// leader, follower or learner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    #[serde(default)]
    pub healthy: bool,
    /// Why it is not healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub db_size_bytes: Option<i64>,
    /// Since when it has not been healthy (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unhealthy_since: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
