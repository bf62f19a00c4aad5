//! A member's pod.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EnvVar, HTTPGetAction, PersistentVolumeClaimVolumeSource, Pod,
    PodSecurityContext, PodSpec, Probe, SeccompProfile, SecretVolumeSource, SecurityContext, TopologySpreadConstraint,
    Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ObjectMeta;
use kube::{Resource, ResourceExt};
use sha2::{Digest, Sha256};
use taffrail_crds::{CLUSTER, EtcdCluster, EtcdMember, MEMBER, POD_HASH};

use super::flags::flags;
use super::labels;
use crate::cluster::observe::CLIENT_SCHEME;
use crate::cluster::pods::CONTAINER;
use crate::cluster::version::Version;
use crate::names::{CLIENT_PORT, METRICS_PORT, Names, PEER_PORT, volume_claim};

pub const DATA: &str = "/var/lib/etcd";
pub const CLIENT_CERTIFICATES: &str = "/etc/etcd/client";
pub const PEER_CERTIFICATES: &str = "/etc/etcd/peer";
/// A user of no machine.
pub const NOBODY: i64 = 65532;

/// What pods of a cluster are made from.
#[derive(Clone)]
pub struct PodInputs {
    pub cluster: Arc<EtcdCluster>,
    pub names: Names,
    pub image: String,
    pub version: Version,
    pub ipv6: bool,
    pub mounts: Mounts,
}

/// Secrets with certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mounts {
    pub client: Option<String>,
    pub peer: Option<String>,
}

/// The pod of one member.
pub fn pod(inputs: &PodInputs, record: &EtcdMember) -> Pod {
    let mut pod = rendered(inputs, record);
    let annotations = pod.metadata.annotations.get_or_insert_default();
    annotations.insert(POD_HASH.into(), pod_hash(inputs, record));
    pod
}

/// What a running pod is compared by. Whose it is and what only a first start needs are left out: members that run the
/// same have the same.
pub fn pod_hash(inputs: &PodInputs, record: &EtcdMember) -> String {
    let scheme = record
        .spec
        .peer_url
        .split_once("://")
        .map_or("http", |(scheme, _)| scheme);
    let mut anybody = record.clone();
    anybody.spec.seed = false;
    anybody.spec.initial_cluster = Some(String::new());
    anybody.spec.peer_url = format!("{scheme}://");
    anybody.metadata = ObjectMeta {
        name: Some(inputs.names.cluster.clone()),
        ..ObjectMeta::default()
    };
    let text = serde_json::to_vec(&rendered(inputs, &anybody)).unwrap_or_default();
    Sha256::digest(&text)[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn rendered(inputs: &PodInputs, record: &EtcdMember) -> Pod {
    let name = record.name_any();
    let template = &inputs.cluster.spec.pod_template;
    let mut all_labels = template.metadata.labels.clone();
    all_labels.extend(labels(&inputs.cluster));
    all_labels.insert(MEMBER.into(), name.clone());
    let mut annotations = template.metadata.annotations.clone();
    let scheme = if inputs.mounts.client.is_some() {
        "https"
    } else {
        "http"
    };
    annotations.insert(CLIENT_SCHEME.into(), scheme.into());
    Pod {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: inputs.cluster.namespace(),
            labels: Some(all_labels),
            annotations: Some(annotations),
            owner_references: Some(record.controller_owner_ref(&()).into_iter().collect()),
            ..ObjectMeta::default()
        },
        spec: Some(spec(inputs, record)),
        status: None,
    }
}

fn spec(inputs: &PodInputs, record: &EtcdMember) -> PodSpec {
    let template = &inputs.cluster.spec.pod_template;
    let user = template.run_as_user.unwrap_or(NOBODY);
    PodSpec {
        hostname: Some(record.name_any()),
        subdomain: Some(inputs.names.peer_service()),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        restart_policy: Some("Always".into()),
        termination_grace_period_seconds: Some(template.termination_grace_period_seconds.unwrap_or(30)),
        security_context: Some(security(user)),
        containers: vec![container(inputs, record)],
        volumes: Some(volumes(inputs, record)),
        affinity: template.affinity.clone(),
        node_selector: (!template.node_selector.is_empty()).then(|| template.node_selector.clone()),
        tolerations: (!template.tolerations.is_empty()).then(|| template.tolerations.clone()),
        topology_spread_constraints: Some(spread(inputs)),
        priority_class_name: template.priority_class_name.clone(),
        scheduler_name: template.scheduler_name.clone(),
        runtime_class_name: template.runtime_class_name.clone(),
        image_pull_secrets: (!template.image_pull_secrets.is_empty()).then(|| template.image_pull_secrets.clone()),
        ..PodSpec::default()
    }
}

/// What a restricted namespace asks of a pod.
pub fn security(user: i64) -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(user),
        run_as_group: Some(user),
        fs_group: Some(user),
        fs_group_change_policy: Some("OnRootMismatch".into()),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".into(),
            localhost_profile: None,
        }),
        ..PodSecurityContext::default()
    }
}

/// And of its containers.
pub fn confined() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities {
            drop: Some(vec!["ALL".into()]),
            add: None,
        }),
        ..SecurityContext::default()
    }
}

fn container(inputs: &PodInputs, record: &EtcdMember) -> Container {
    let template = &inputs.cluster.spec.pod_template;
    Container {
        name: CONTAINER.into(),
        image: Some(inputs.image.clone()),
        image_pull_policy: template.image_pull_policy.clone(),
        command: Some(vec!["/usr/local/bin/etcd".into()]),
        args: Some(flags(inputs, record)),
        env: Some(environment(inputs)),
        ports: Some(vec![
            port("client", CLIENT_PORT),
            port("peer", PEER_PORT),
            port("metrics", METRICS_PORT),
        ]),
        resources: template.resources.clone(),
        startup_probe: Some(probe("/livez", 2, 300)),
        liveness_probe: Some(probe("/livez", 5, 6)),
        readiness_probe: Some(probe("/readyz", 2, 2)),
        security_context: Some(confined()),
        volume_mounts: Some(mounts(inputs)),
        ..Container::default()
    }
}

/// A Taffrail behaves as the declared version does; a stock etcd only notes that it does not know the variable.
fn environment(inputs: &PodInputs) -> Vec<EnvVar> {
    let given = &inputs.cluster.spec.pod_template.env;
    let mut variables: Vec<EnvVar> = given.iter().map(EnvVar::from).collect();
    if !given.iter().any(|one| one.name == "ETCD_COMPATIBILITY_VERSION") {
        variables.push(EnvVar {
            name: "ETCD_COMPATIBILITY_VERSION".into(),
            value: Some(inputs.version.to_string()),
            value_from: None,
        });
    }
    variables
}

/// None of them needs a quorum to call a member alive.
fn probe(path: &str, period_seconds: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.into()),
            port: IntOrString::Int(METRICS_PORT),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period_seconds),
        failure_threshold: Some(failures),
        timeout_seconds: Some(5),
        ..Probe::default()
    }
}

fn port(name: &str, port: i32) -> ContainerPort {
    ContainerPort {
        name: Some(name.into()),
        container_port: port,
        ..ContainerPort::default()
    }
}

fn volumes(inputs: &PodInputs, record: &EtcdMember) -> Vec<Volume> {
    let data = Volume {
        name: "data".into(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: volume_claim(&record.name_any()),
            read_only: None,
        }),
        ..Volume::default()
    };
    let secrets = [("client", &inputs.mounts.client), ("peer", &inputs.mounts.peer)];
    let secrets = secrets
        .into_iter()
        .filter_map(|(name, secret)| Some((name, secret.clone()?)));
    let secrets = secrets.map(|(name, secret)| Volume {
        name: name.into(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(secret),
            default_mode: Some(0o440),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    });
    std::iter::once(data).chain(secrets).collect()
}

fn mounts(inputs: &PodInputs) -> Vec<VolumeMount> {
    let secret = |name: &str, path: &str| VolumeMount {
        name: name.into(),
        mount_path: path.into(),
        read_only: Some(true),
        ..VolumeMount::default()
    };
    let data = VolumeMount {
        name: "data".into(),
        mount_path: DATA.into(),
        ..VolumeMount::default()
    };
    let client = inputs
        .mounts
        .client
        .iter()
        .map(|_| secret("client", CLIENT_CERTIFICATES));
    let peer = inputs.mounts.peer.iter().map(|_| secret("peer", PEER_CERTIFICATES));
    std::iter::once(data).chain(client).chain(peer).collect()
}

/// As far apart as there is room: never so strict that a member cannot start.
fn spread(inputs: &PodInputs) -> Vec<TopologySpreadConstraint> {
    if let Some(given) = &inputs.cluster.spec.pod_template.topology_spread_constraints {
        return given.clone();
    }
    let members: BTreeMap<_, _> = [(CLUSTER.to_owned(), inputs.names.cluster.clone())].into();
    let over = |key: &str| TopologySpreadConstraint {
        max_skew: 1,
        topology_key: key.into(),
        when_unsatisfiable: "ScheduleAnyway".into(),
        label_selector: Some(LabelSelector {
            match_labels: Some(members.clone()),
            ..LabelSelector::default()
        }),
        ..TopologySpreadConstraint::default()
    };
    vec![over("topology.kubernetes.io/zone"), over("kubernetes.io/hostname")]
}
