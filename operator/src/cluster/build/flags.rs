//! etcd's flags: everything that the operator asks of a member, in etcd's own words.

use kube::ResourceExt;
use taffrail_crds::{CompactionMode, EtcdMember, bytes_of};

use super::pod::{CLIENT_CERTIFICATES, DATA, PEER_CERTIFICATES, PodInputs};
use crate::names::{CLIENT_PORT, METRICS_PORT, PEER_PORT};

/// In a fixed order: another order would be another pod.
pub fn flags(inputs: &PodInputs, record: &EtcdMember) -> Vec<String> {
    let mut flags = identity(inputs, record);
    flags.extend(listeners(inputs, record));
    if inputs.mounts.client.is_some() {
        flags.extend(certificates("", CLIENT_CERTIFICATES));
    }
    if inputs.mounts.peer.is_some() {
        flags.extend(certificates("peer-", PEER_CERTIFICATES));
        flags.push(skip_names(inputs));
    }
    flags.extend(limits(inputs));
    flags.extend(
        inputs
            .cluster
            .spec
            .options
            .iter()
            .map(|(name, value)| format!("--{name}={value}")),
    );
    if record.spec.force_new_cluster {
        flags.push("--force-new-cluster".into());
    }
    flags
}

fn identity(inputs: &PodInputs, record: &EtcdMember) -> Vec<String> {
    let name = record.name_any();
    let founds = record.spec.seed && record.spec.initial_cluster.is_none();
    let alone = format!("{name}={}", record.spec.peer_url);
    let initial = record.spec.initial_cluster.clone().unwrap_or(alone);
    vec![
        format!("--name={name}"),
        format!("--data-dir={DATA}/etcd"),
        format!("--initial-cluster={initial}"),
        format!("--initial-cluster-state={}", if founds { "new" } else { "existing" }),
        format!("--initial-cluster-token={}", inputs.cluster.uid().unwrap_or_default()),
    ]
}

fn listeners(inputs: &PodInputs, record: &EtcdMember) -> Vec<String> {
    let any = if inputs.ipv6 { "[::]" } else { "0.0.0.0" };
    let host = inputs.names.member_host(&record.name_any());
    let secure = inputs.mounts.client.is_some();
    let scheme = if secure { "https" } else { "http" };
    let peer_scheme = record
        .spec
        .peer_url
        .split_once("://")
        .map_or("http", |(scheme, _)| scheme);
    let mut clients = format!("{scheme}://{any}:{CLIENT_PORT}");
    if secure && inputs.cluster.spec.tls.client.accept_plaintext {
        clients.push_str(&format!(",http://{any}:{CLIENT_PORT}"));
    }
    vec![
        format!("--listen-client-urls={clients}"),
        format!("--advertise-client-urls={scheme}://{host}:{CLIENT_PORT}"),
        format!("--listen-peer-urls={peer_scheme}://{any}:{PEER_PORT}"),
        format!("--initial-advertise-peer-urls={}", record.spec.peer_url),
        format!("--listen-metrics-urls=http://{any}:{METRICS_PORT}"),
    ]
}

fn certificates(prefix: &str, folder: &str) -> [String; 4] {
    [
        format!("--{prefix}cert-file={folder}/tls.crt"),
        format!("--{prefix}key-file={folder}/tls.key"),
        format!("--{prefix}trusted-ca-file={folder}/ca.crt"),
        format!("--{prefix}client-cert-auth"),
    ]
}

/// The authority of the peers signs for nobody else; looking names up in DNS would only make members wait for it.
fn skip_names(inputs: &PodInputs) -> String {
    let prefix = if inputs.version.minor < 6 { "experimental-" } else { "" };
    format!("--{prefix}peer-skip-client-san-verification")
}

fn limits(inputs: &PodInputs) -> Vec<String> {
    let spec = &inputs.cluster.spec;
    let quota = spec.quota.as_deref().and_then(bytes_of);
    let mut flags: Vec<String> = quota
        .map(|bytes| format!("--quota-backend-bytes={bytes}"))
        .into_iter()
        .collect();
    if let Some(compaction) = &spec.compaction {
        let mode = match compaction.mode {
            CompactionMode::Periodic => "periodic",
            CompactionMode::Revision => "revision",
        };
        flags.push(format!("--auto-compaction-mode={mode}"));
        flags.push(format!("--auto-compaction-retention={}", compaction.retention));
    }
    flags
}
