//! The operator's own record of a member.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::ResourceExt;
use kube::api::ObjectMeta;
use taffrail_crds::{EtcdCluster, EtcdMember, EtcdMemberSpec, MEMBER};

use super::{PEER_URL, labels, meta};

/// A new record.
pub fn member(cluster: &EtcdCluster, name: String, serial: i64, seed: bool, peer_url: String) -> EtcdMember {
    EtcdMember {
        metadata: ObjectMeta {
            labels: Some(with_member(cluster, &name)),
            ..meta(cluster, name)
        },
        spec: EtcdMemberSpec {
            cluster_name: cluster.name_any(),
            serial,
            peer_url,
            seed,
            class_name: cluster.spec.storage.class_name.clone(),
            member_id: None,
            initial_cluster: None,
            volume_uid: None,
            restored_from: None,
            leaving: None,
            force_new_cluster: false,
        },
        status: None,
    }
}

/// The record that a volume claim once had.
pub fn recalled(cluster: &EtcdCluster, claim: &PersistentVolumeClaim) -> Option<EtcdMember> {
    let name = claim.labels().get(MEMBER)?.clone();
    let serial = name.rsplit_once('-')?.1.parse().ok()?;
    let peer_url = claim.annotations().get(PEER_URL)?.clone();
    let mut record = member(cluster, name, serial, false, peer_url);
    record.spec.volume_uid = claim.uid();
    record.spec.class_name = cluster
        .spec
        .storage
        .class_name
        .as_ref()
        .and(claim.spec.as_ref()?.storage_class_name.clone());
    Some(record)
}

fn with_member(cluster: &EtcdCluster, name: &str) -> std::collections::BTreeMap<String, String> {
    let mut labels = labels(cluster);
    labels.insert(MEMBER.into(), name.to_owned());
    labels
}
