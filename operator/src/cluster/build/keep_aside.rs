//! A copy of a survivor's volume, made before anything is done to it.

use k8s_openapi::api::core::v1::{
    Container, PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, Pod, PodSecurityContext, PodSpec, Volume,
    VolumeMount,
};
use kube::ResourceExt;
use kube::api::ObjectMeta;
use taffrail_crds::{CLUSTER_UID, EtcdCluster, KEPT, MEMBER};

use super::pod::{NOBODY, confined, security};
use super::{labels, meta};

/// The claim that the copy goes to: as large as the original, and never the operator's to delete. What `KEPT` says
/// changes once the copy is whole.
pub fn kept_claim(cluster: &EtcdCluster, of: &PersistentVolumeClaim, name: String) -> PersistentVolumeClaim {
    let mut labels = labels(cluster);
    labels.insert(CLUSTER_UID.into(), cluster.uid().unwrap_or_default());
    labels.insert(MEMBER.into(), of.labels().get(MEMBER).cloned().unwrap_or_default());
    let mut spec = of.spec.clone().unwrap_or_default();
    spec.volume_name = None;
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: cluster.namespace(),
            labels: Some(labels),
            annotations: Some([(KEPT.to_owned(), "Copying".to_owned())].into()),
            ..ObjectMeta::default()
        },
        spec: Some(spec),
        status: None,
    }
}

/// The pod that copies: the operator's own program, which is in its image and needs no shell.
pub fn copy_pod(cluster: &EtcdCluster, image: &str, (from, to): (&str, &str), name: String) -> Pod {
    let user = cluster.spec.pod_template.run_as_user.unwrap_or(NOBODY);
    let mut metadata = meta(cluster, name);
    // It belongs to the cluster, but it is none of its members.
    metadata.labels.get_or_insert_default().remove(taffrail_crds::CLUSTER);
    Pod {
        metadata,
        spec: Some(PodSpec {
            restart_policy: Some("OnFailure".into()),
            automount_service_account_token: Some(false),
            node_selector: Some(cluster.spec.pod_template.node_selector.clone()),
            tolerations: Some(cluster.spec.pod_template.tolerations.clone()),
            image_pull_secrets: Some(cluster.spec.pod_template.image_pull_secrets.clone()),
            security_context: Some(PodSecurityContext {
                fs_group_change_policy: None,
                ..security(user)
            }),
            containers: vec![container(image)],
            volumes: Some(vec![volume("from", from), volume("to", to)]),
            ..PodSpec::default()
        }),
        status: None,
    }
}

fn container(image: &str) -> Container {
    let mount = |name: &str| VolumeMount {
        name: name.into(),
        mount_path: format!("/{name}"),
        ..VolumeMount::default()
    };
    Container {
        name: "copy".into(),
        image: Some(image.into()),
        command: Some(vec!["/usr/local/bin/taffrail-operator".into()]),
        args: Some(vec!["copy".into(), "/from/etcd".into(), "/to/etcd".into()]),
        volume_mounts: Some(vec![mount("from"), mount("to")]),
        security_context: Some(confined()),
        ..Container::default()
    }
}

fn volume(name: &str, claim: &str) -> Volume {
    Volume {
        name: name.into(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: claim.into(),
            read_only: None,
        }),
        ..Volume::default()
    }
}
