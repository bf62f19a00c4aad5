//! `EtcdCluster`: what is declared.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tls::is_false;
use crate::{Bootstrap, DefragmentationPolicy, EtcdClusterStatus, PodTemplate, Storage, Tls};

/// An etcd cluster, kept as it is declared.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "etcd.taffrail.dev",
    version = "v1alpha1",
    kind = "EtcdCluster",
    plural = "etcdclusters",
    namespaced,
    status = "EtcdClusterStatus",
    shortname = "etcd",
    category = "all",
    derive = "PartialEq",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.ready"),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.version"),
    printcolumn(name = "Leader", type_ = "string", json_path = ".status.leader"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Doing", type_ = "string", json_path = ".status.doing", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 40").message("the name becomes part of DNS names: at most 40 letters, digits and dashes, beginning with a letter")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("!has(self.auth) || !self.auth.enabled || self.tls.client.mode != 'Disabled'").message("authentication needs TLS towards clients, or passwords would travel in the clear: set spec.tls.client.mode"),
    validation = Rule::new("self.tls.client.mode != 'Secrets' || !has(self.tls.client.secrets) || has(self.tls.client.secrets.client)").message("spec.tls.client.secrets.client is needed: the operator is a client too"),
    validation = Rule::new("!has(self.tls.peer.acceptPlaintext) || !self.tls.peer.acceptPlaintext").message("spec.tls.peer.acceptPlaintext: only clients can be served in both ways"),
    validation = Rule::new("!has(self.tls.client.acceptPlaintext) || !self.tls.client.acceptPlaintext || self.tls.client.mode != 'Disabled'").message("spec.tls.client.acceptPlaintext means nothing without TLS"),
    validation = Rule::new("!has(self.quota) || !isQuantity(self.quota) || !isQuantity(self.storage.size) || quantity(self.quota).compareTo(quantity(self.storage.size)) <= 0").message("spec.quota is larger than spec.storage.size: the disk would be full before the quota is reached")
)]
pub struct EtcdClusterSpec {
    /// Members that vote. 0 stops all members and keeps their data.
    #[serde(default = "three")]
    #[schemars(range(min = 0, max = 9))]
    pub replicas: i32,
    /// etcd's version whose behaviour members show, as `3.6.14`.
    #[serde(default = "default_version")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^3[.][0-9]+[.][0-9]+$')").message("is a version of etcd as 3.6.14"))]
    pub version: String,
    /// Image of the members: a Taffrail or a stock etcd that speaks `version`. Default: the operator's choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new("!self.contains(' ')").message("is no name of an image"))]
    pub image: Option<String>,
    #[serde(default)]
    pub storage: Storage,
    #[serde(default)]
    pub tls: Tls,
    /// Users and passwords.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// Flags of etcd without their dashes. Those that the operator sets itself are refused.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    #[x_kube(
        validation = Rule::new("self.all(k, k.matches('^[a-z][-a-z0-9]*$'))").message("flags are written without dashes in front: heartbeat-interval"),
        validation = Rule::new("self.all(k, !(k in ['name', 'data-dir', 'wal-dir', 'initial-cluster', 'initial-cluster-state', 'initial-cluster-token', 'initial-advertise-peer-urls', 'listen-peer-urls', 'listen-client-urls', 'listen-client-http-urls', 'advertise-client-urls', 'listen-metrics-urls', 'force-new-cluster', 'config-file', 'unsafe-no-fsync', 'discovery', 'discovery-srv', 'auto-tls', 'peer-auto-tls', 'quota-backend-bytes', 'auto-compaction-mode', 'auto-compaction-retention']) && !k.matches('^(peer-)?(cert-file|key-file|trusted-ca-file|client-cert-auth|client-cert-file|client-key-file)$'))").message("holds a flag that the operator sets itself: look for a field of the spec that means it")
    )]
    pub options: BTreeMap<String, String>,
    /// Most bytes of data (`--quota-backend-bytes`). Default: etcd's 2Gi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = Rule::new("isQuantity(self)").message("is no quantity: write it as 4Gi"))]
    pub quota: Option<String>,
    /// When old revisions go. Absent: clients compact, as kube-apiserver does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compaction: Option<Compaction>,
    /// When members give free space back to their disks. Absent: only when an EtcdDefragmentation asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defragmentation: Option<DefragmentationPolicy>,
    #[serde(default)]
    pub pod_template: PodTemplate,
    #[serde(default)]
    pub service: ServiceTemplate,
    /// What a new cluster begins with; it means nothing once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bootstrap: Option<Bootstrap>,
    /// Nothing is done while it is true; status goes on telling the truth.
    #[serde(default, skip_serializing_if = "is_false")]
    pub paused: bool,
    /// What may be done without a quorum.
    #[serde(default)]
    pub quorum_recovery: QuorumRecovery,
    #[serde(default)]
    pub repair: Repair,
}

/// Users and passwords.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("!self.enabled || has(self.rootSecretRef)").message("rootSecretRef is needed: a Secret with username root and a password"))]
pub struct Auth {
    /// False switches authentication off again; users and roles stay.
    pub enabled: bool,
    /// A Secret with `password`, and `username` if not root. Another password in it is made the new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_secret_ref: Option<SecretRef>,
}

#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretRef {
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// When old revisions go (`--auto-compaction-mode`, `--auto-compaction-retention`).
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("self.mode == 'Periodic' ? self.retention.matches('^([0-9]+(ns|us|ms|s|m|h))+$|^[0-9]+$') : self.retention.matches('^[0-9]+$')").message("retention is a duration as 8h for mode Periodic, a number of revisions for mode Revision"))]
pub struct Compaction {
    pub mode: CompactionMode,
    #[schemars(length(min = 1, max = 32))]
    pub retention: String,
}

#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompactionMode {
    Periodic,
    Revision,
}

/// The Service that clients use.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceTemplate {
    /// ClusterIP, NodePort or LoadBalancer. Default ClusterIP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self in ['ClusterIP', 'NodePort', 'LoadBalancer']").message("is ClusterIP, NodePort or LoadBalancer"))]
    pub r#type: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// SingleStack, PreferDualStack or RequireDualStack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self in ['SingleStack', 'PreferDualStack', 'RequireDualStack']").message("is SingleStack, PreferDualStack or RequireDualStack"))]
    pub ip_family_policy: Option<String>,
    /// IPv4, IPv6.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2))]
    pub ip_families: Vec<String>,
}

/// What may be done without a quorum.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum QuorumRecovery {
    /// Nothing.
    Disabled,
    /// A person names the survivor by annotations: `etcd.taffrail.dev/recover-from` and
    /// `etcd.taffrail.dev/accept-data-loss`.
    #[default]
    Manual,
    /// The member with the newest data goes on alone, once the data of so many others are gone for good that there
    /// cannot be a quorum again.
    Automatic,
}

/// When a member is given up and replaced.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Repair {
    /// Seconds that a member may be away (its node lost, its pod not startable) before it is replaced. 0: never.
    #[serde(default = "five_minutes")]
    #[schemars(range(min = 0, max = 604800))]
    pub replace_after_seconds: i32,
    /// A member that is unhealthy is made again with the new version or options at once, instead of holding up the
    /// roll-out: for when the change is its cure.
    #[serde(default, skip_serializing_if = "is_false")]
    pub at_target_version: bool,
}

impl Default for Repair {
    fn default() -> Self {
        Self {
            replace_after_seconds: five_minutes(),
            at_target_version: false,
        }
    }
}

fn three() -> i32 {
    3
}

fn five_minutes() -> i32 {
    300
}

fn default_version() -> String {
    crate::DEFAULT_ETCD_VERSION.into()
}
