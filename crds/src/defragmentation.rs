//! `EtcdDefragmentation`: members give free space back to their disks, one at a time. `EtcdCluster.spec.defragmentation`
//! says when it is done without being asked for.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ClusterRef;
use crate::tls::is_false;

/// One defragmentation of an EtcdCluster's members.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "etcd.taffrail.dev",
    version = "v1alpha1",
    kind = "EtcdDefragmentation",
    plural = "etcddefragmentations",
    namespaced,
    status = "EtcdDefragmentationStatus",
    shortname = "etcddefrag",
    derive = "PartialEq",
    printcolumn(name = "Cluster", type_ = "string", json_path = ".spec.clusterRef.name"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Reclaimed", type_ = "integer", json_path = ".status.reclaimedBytes"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.reason", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.spec == oldSelf.spec").message("a defragmentation is what it was asked to be: make another one")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EtcdDefragmentationSpec {
    pub cluster_ref: ClusterRef,
    /// Members that have less to gain are left out. Absent: every member is defragmented.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_if: Option<DefragmentationThresholds>,
    /// Seconds that one member is given. A stock etcd answers nobody while it works.
    #[serde(default = "five_minutes")]
    #[schemars(range(min = 1, max = 86400))]
    pub timeout_seconds: i64,
}

/// A member is defragmented if all that are given are reached.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DefragmentationThresholds {
    /// Bytes that are allocated and not in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = Rule::new("isQuantity(self)").message("is no quantity: write it as 256Mi"))]
    pub min_free_bytes: Option<String>,
    /// Of what is allocated, how much is not in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub min_free_percent: Option<i32>,
    /// Of the quota, how much is allocated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub min_quota_percent: Option<i32>,
}

/// `EtcdCluster.spec.defragmentation`: when EtcdDefragmentations are made without being asked for.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DefragmentationPolicy {
    /// Five fields of cron, or `@hourly`, `@daily`, `@weekly`, `@monthly`.
    #[schemars(length(min = 1, max = 128))]
    pub schedule: String,
    /// As `Europe/Berlin`. Default UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: Option<String>,
    /// Bytes that are allocated and not in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = Rule::new("isQuantity(self)").message("is no quantity: write it as 256Mi"))]
    pub min_free_bytes: Option<String>,
    /// Of what is allocated, how much is not in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub min_free_percent: Option<i32>,
    /// Of the quota, how much is allocated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub min_quota_percent: Option<i32>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
}

impl DefragmentationPolicy {
    /// None if no threshold is given: then every member is defragmented each time.
    pub fn thresholds(&self) -> Option<DefragmentationThresholds> {
        let thresholds = DefragmentationThresholds {
            min_free_bytes: self.min_free_bytes.clone(),
            min_free_percent: self.min_free_percent,
            min_quota_percent: self.min_quota_percent,
        };
        (thresholds != DefragmentationThresholds::default()).then_some(thresholds)
    }
}

/// What became of a defragmentation.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct EtcdDefragmentationStatus {
    #[serde(default)]
    pub phase: DefragmentationPhase,
    /// One word why, and a sentence that says what it waits for or what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
    /// The member that is being defragmented. Written before it is asked to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<DefragmentingMember>,
    /// Members that are done with, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub members: Vec<DefragmentedMember>,
    /// Bytes that all of them gave back.
    #[serde(default)]
    pub reclaimed_bytes: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DefragmentationPhase {
    /// It has not begun: a member is down, another change or another defragmentation is under way.
    #[default]
    Pending,
    Running,
    Succeeded,
    /// A member did not do it; those after it were left alone.
    Failed,
}

/// The member that is being defragmented.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct DefragmentingMember {
    pub name: String,
    #[serde(default)]
    pub before_bytes: i64,
    /// RFC 3339.
    #[serde(default)]
    pub started_at: String,
}

/// What became of one member.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct DefragmentedMember {
    pub name: String,
    #[serde(default)]
    pub before_bytes: i64,
    #[serde(default)]
    pub after_bytes: i64,
    #[serde(default)]
    pub took_seconds: i64,
    /// Why it was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// Why it was not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

fn five_minutes() -> i64 {
    300
}
