//! What Kubernetes objects look like. Pure: the same declaration gives the same objects.

mod budget;
mod flags;
mod keep_aside;
mod member;
mod pod;
mod restore;
mod services;
mod volume;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::ObjectMeta;
use kube::{Resource, ResourceExt};
use taffrail_crds::{APP, CLUSTER, EtcdCluster, MANAGED_BY, MANAGER};

pub use budget::budget;
pub use keep_aside::{copy_pod, kept_claim};
pub use member::{member, recalled};
pub use pod::{Mounts, NOBODY, PodInputs, confined, pod, pod_hash, security};
pub use restore::{restore_name, restore_pod};
pub use services::{client_service, peer_service};
pub use volume::{PEER_URL, owner_by_retention, volume};

/// Labels of everything that belongs to a cluster.
pub fn labels(cluster: &EtcdCluster) -> BTreeMap<String, String> {
    let pairs = [(MANAGED_BY, MANAGER), (APP, "etcd"), (CLUSTER, &cluster.name_any())];
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

/// Goes when the cluster goes.
pub fn owner(cluster: &EtcdCluster) -> Vec<OwnerReference> {
    cluster.controller_owner_ref(&()).into_iter().collect()
}

fn meta(cluster: &EtcdCluster, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: cluster.namespace(),
        labels: Some(labels(cluster)),
        owner_references: Some(owner(cluster)),
        ..ObjectMeta::default()
    }
}
