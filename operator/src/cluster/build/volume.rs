//! A member's volume claim: it outlives pods and records.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::ObjectMeta;
use kube::{Resource, ResourceExt};
use taffrail_crds::{CLUSTER_UID, EtcdCluster, EtcdMember, MEMBER, WhenGone};

use super::labels;
use crate::names::volume_claim;

/// On volume claims: the member's peer URL, by which its record can be written again.
pub const PEER_URL: &str = "etcd.taffrail.dev/peer-url";

/// The claim of one member. It belongs to the EtcdCluster only if it shall go with it.
pub fn volume(cluster: &EtcdCluster, record: &EtcdMember) -> PersistentVolumeClaim {
    let member = record.name_any();
    let storage = &cluster.spec.storage;
    let size: BTreeMap<_, _> = [("storage".to_owned(), Quantity(storage.size.clone()))].into();
    let mut labels = labels(cluster);
    labels.insert(MEMBER.into(), member.clone());
    labels.insert(CLUSTER_UID.into(), cluster.uid().unwrap_or_default());
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(volume_claim(&member)),
            namespace: cluster.namespace(),
            labels: Some(labels),
            annotations: Some([(PEER_URL.to_owned(), record.spec.peer_url.clone())].into()),
            owner_references: owner_by_retention(cluster),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".into()]),
            storage_class_name: record.spec.class_name.clone(),
            resources: Some(VolumeResourceRequirements {
                requests: Some(size),
                ..VolumeResourceRequirements::default()
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        status: None,
    }
}

/// `whenDeleted: Delete`: Kubernetes' garbage collector takes the claim with the cluster.
pub fn owner_by_retention(cluster: &EtcdCluster) -> Option<Vec<OwnerReference>> {
    let delete = cluster.spec.storage.retention.when_deleted == WhenGone::Delete;
    delete.then(|| cluster.owner_ref(&()).into_iter().collect())
}
