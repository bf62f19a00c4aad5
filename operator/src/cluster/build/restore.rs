//! The pod that fills a first member's volume: fetch, restore, finish. It lands where the member will, for the volume is
//! bound to where it is first used.

use k8s_openapi::api::core::v1::{Container, Pod, VolumeMount};
use kube::ResourceExt;
use taffrail_crds::{CLUSTER, EtcdMember, MEMBER, POD_HASH, ROLE, RestoreStatus};

use super::pod::{DATA, PodInputs, confined, pod};
use crate::backup::pods;
use crate::backup::request::{Fetch, Finish, Request};

/// Name of the data directory on the volume.
const DATA_DIR: &str = "etcd";
/// In every image of a member, under this name.
const ETCDUTL: &str = "/usr/local/bin/etcdutl";

/// Name of the pod for one member.
pub fn restore_name(member: &str) -> String {
    format!("{member}-restore")
}

/// `image` is the operator's own.
pub fn restore_pod(inputs: &PodInputs, record: &EtcdMember, restore: &RestoreStatus, image: &str) -> Pod {
    let mut made = pod(inputs, record);
    made.metadata.name = Some(restore_name(&record.name_any()));
    // It belongs to the cluster, but it is none of its members.
    for label in [CLUSTER, MEMBER, ROLE] {
        made.metadata.labels.get_or_insert_default().remove(label);
    }
    made.metadata.annotations.get_or_insert_default().remove(POD_HASH);
    let identity = restore
        .object
        .encryption
        .as_ref()
        .and_then(|one| one.identity_secret_ref.as_ref());
    let identity = identity.map(|secret| secret.name.as_str());
    let (volumes, mut mounts) = pods::volumes(Some(&restore.object.target), identity, None, None);
    mounts.push(pods::mount("data", DATA, false));
    let Some(spec) = made.spec.as_mut() else { return made };
    let tool = |name: &str, request: Request| pods::tool(name, image, &request, &restore.pod, mounts.clone());
    let fetch = Request::Fetch(Box::new(Fetch {
        target: restore.object.target.clone(),
        key: restore.object.key.clone(),
        artifact: restore.artifact.clone(),
        identity: identity.is_some(),
        folder: DATA.into(),
        data_dir: Some(DATA_DIR.into()),
        stall_seconds: 60,
    }));
    let finish = Request::Finish(Finish {
        folder: DATA.into(),
        data_dir: DATA_DIR.into(),
    });
    spec.init_containers = Some(vec![tool("fetch", fetch), restoring(inputs, record, restore)]);
    spec.containers = vec![tool("finish", finish)];
    spec.restart_policy = Some("Never".into());
    spec.hostname = None;
    spec.subdomain = None;
    if let Some(account) = &restore.pod.service_account_name {
        spec.service_account_name = Some(account.clone());
        spec.automount_service_account_token = Some(true);
    }
    let all = spec.volumes.get_or_insert_default();
    all.retain(|volume| volume.name == "data");
    all.extend(volumes);
    made
}

/// The member's own program restores: what it makes it can read.
fn restoring(inputs: &PodInputs, record: &EtcdMember, restore: &RestoreStatus) -> Container {
    Container {
        name: "restore".into(),
        image: Some(inputs.image.clone()),
        image_pull_policy: inputs.cluster.spec.pod_template.image_pull_policy.clone(),
        command: Some(vec![ETCDUTL.into()]),
        args: Some(words(inputs, record, restore)),
        env: Some(vec![pods::thrifty()]),
        volume_mounts: Some(vec![VolumeMount {
            name: "data".into(),
            mount_path: DATA.into(),
            ..VolumeMount::default()
        }]),
        resources: restore.pod.resources.clone(),
        security_context: Some(confined()),
        termination_message_policy: Some("FallbackToLogsOnError".into()),
        ..Container::default()
    }
}

fn words(inputs: &PodInputs, record: &EtcdMember, restore: &RestoreStatus) -> Vec<String> {
    let name = record.name_any();
    let url = &record.spec.peer_url;
    let mut words = vec![
        "snapshot".into(),
        "restore".into(),
        format!("{DATA}/{}", Fetch::SNAPSHOT),
        format!("--data-dir={DATA}/{}", Fetch::RESTORING),
        format!("--name={name}"),
        format!("--initial-cluster={name}={url}"),
        format!("--initial-cluster-token={}", inputs.cluster.uid().unwrap_or_default()),
        format!("--initial-advertise-peer-urls={url}"),
    ];
    // etcd before 3.6 does not know them.
    if restore.bump_revision > 0 && inputs.version.minor >= 6 {
        words.push(format!("--bump-revision={}", restore.bump_revision));
        if restore.mark_compacted {
            words.push("--mark-compacted".into());
        }
    }
    words
}
