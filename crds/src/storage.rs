//! Where members keep their data.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One volume claim per member.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Storage {
    /// Size of each member's volume. It can grow, if the storage class allows it, and never shrink.
    #[serde(default = "default_size")]
    #[x_kube(
        validation = Rule::new("isQuantity(self)").message("is no quantity: write it as 8Gi"),
        validation = Rule::new("!isQuantity(self) || quantity(self).compareTo(quantity('64Mi')) >= 0").message("a member needs at least 64Mi"),
        validation = Rule::new("!isQuantity(self) || !isQuantity(oldSelf) || quantity(self).compareTo(quantity(oldSelf)) >= 0").message("volumes cannot shrink: make a new cluster and restore a backup into it")
    )]
    #[schemars(length(min = 1, max = 32))]
    pub size: String,
    /// Storage class of the volumes; the default class of the Kubernetes cluster if absent. A change replaces the
    /// members one at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub class_name: Option<String>,
    /// What becomes of volumes whose member has gone.
    #[serde(default)]
    pub retention: Retention,
}

/// What becomes of volumes whose member has gone.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retention {
    /// After a member was removed by scaling in or was replaced. The others hold the same data.
    #[serde(default = "delete")]
    pub when_scaled: WhenGone,
    /// After the EtcdCluster was deleted.
    #[serde(default)]
    pub when_deleted: WhenGone,
}

/// `Retain`: the volume claim stays. `Delete`: it goes with its member.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum WhenGone {
    #[default]
    Retain,
    Delete,
}

fn default_size() -> String {
    "8Gi".into()
}

fn delete() -> WhenGone {
    WhenGone::Delete
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            size: default_size(),
            class_name: None,
            retention: Retention::default(),
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            when_scaled: WhenGone::Delete,
            when_deleted: WhenGone::Retain,
        }
    }
}
