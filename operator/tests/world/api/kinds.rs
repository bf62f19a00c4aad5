//! The kinds that are served, each with the type that says what belongs into it.

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    batch::v1::Job,
    coordination::v1::Lease,
    core::v1::{
        ConfigMap, Event as CoreEvent, Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod, Secret, Service,
        ServiceAccount,
    },
    events::v1::Event,
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
    storage::v1::StorageClass,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use taffrail_crds::{EtcdBackup, EtcdBackupSchedule, EtcdCluster, EtcdDefragmentation, EtcdMember, EtcdRole, EtcdUser};

#[derive(Debug)]
pub struct Kind {
    pub group: &'static str,
    pub version: &'static str,
    pub plural: &'static str,
    pub kind: &'static str,
    pub namespaced: bool,
    pub has_status: bool,
    /// Through its type and back: defaults come in, what the type does not know is refused or goes.
    pub typed: fn(Value) -> Result<Value, String>,
}

impl Kind {
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.into()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

fn typed<T: DeserializeOwned + Serialize>(value: Value) -> Result<Value, String> {
    let object: T = serde_json::from_value(value).map_err(|error| error.to_string())?;
    serde_json::to_value(object).map_err(|error| error.to_string())
}

/// cert-manager's, which there are no types for.
fn untyped(value: Value) -> Result<Value, String> {
    Ok(value)
}

macro_rules! kinds {
    ($($group:literal $version:literal $plural:literal $kind:literal $namespaced:literal $status:literal $typed:expr;)*) => {
        pub static KINDS: &[Kind] = &[$(Kind {
            group: $group, version: $version, plural: $plural, kind: $kind, namespaced: $namespaced, has_status: $status,
            typed: $typed,
        }),*];
    };
}

kinds! {
    "" "v1" "pods" "Pod" true true typed::<Pod>;
    "" "v1" "persistentvolumeclaims" "PersistentVolumeClaim" true true typed::<PersistentVolumeClaim>;
    "" "v1" "persistentvolumes" "PersistentVolume" false true typed::<PersistentVolume>;
    "" "v1" "services" "Service" true true typed::<Service>;
    "" "v1" "secrets" "Secret" true false typed::<Secret>;
    "" "v1" "configmaps" "ConfigMap" true false typed::<ConfigMap>;
    "" "v1" "events" "Event" true false typed::<CoreEvent>;
    "" "v1" "nodes" "Node" false true typed::<Node>;
    "" "v1" "namespaces" "Namespace" false true typed::<Namespace>;
    "" "v1" "serviceaccounts" "ServiceAccount" true false typed::<ServiceAccount>;
    "apps" "v1" "statefulsets" "StatefulSet" true true typed::<StatefulSet>;
    "apps" "v1" "deployments" "Deployment" true true typed::<Deployment>;
    "batch" "v1" "jobs" "Job" true true typed::<Job>;
    "coordination.k8s.io" "v1" "leases" "Lease" true false typed::<Lease>;
    "events.k8s.io" "v1" "events" "Event" true false typed::<Event>;
    "networking.k8s.io" "v1" "networkpolicies" "NetworkPolicy" true false typed::<NetworkPolicy>;
    "policy" "v1" "poddisruptionbudgets" "PodDisruptionBudget" true true typed::<PodDisruptionBudget>;
    "storage.k8s.io" "v1" "storageclasses" "StorageClass" false false typed::<StorageClass>;
    "cert-manager.io" "v1" "certificates" "Certificate" true true untyped;
    "etcd.taffrail.dev" "v1alpha1" "etcdclusters" "EtcdCluster" true true typed::<EtcdCluster>;
    "etcd.taffrail.dev" "v1alpha1" "etcdmembers" "EtcdMember" true true typed::<EtcdMember>;
    "etcd.taffrail.dev" "v1alpha1" "etcddefragmentations" "EtcdDefragmentation" true true typed::<EtcdDefragmentation>;
    "etcd.taffrail.dev" "v1alpha1" "etcdusers" "EtcdUser" true true typed::<EtcdUser>;
    "etcd.taffrail.dev" "v1alpha1" "etcdroles" "EtcdRole" true true typed::<EtcdRole>;
    "etcd.taffrail.dev" "v1alpha1" "etcdbackups" "EtcdBackup" true true typed::<EtcdBackup>;
    "etcd.taffrail.dev" "v1alpha1" "etcdbackupschedules" "EtcdBackupSchedule" true true typed::<EtcdBackupSchedule>;
}

/// By the name of the kind; of the two kinds of events the newer.
pub fn kind_named(kind: &str) -> &'static Kind {
    KINDS
        .iter()
        .rev()
        .find(|known| known.kind == kind)
        .unwrap_or_else(|| panic!("no kind {kind}"))
}
