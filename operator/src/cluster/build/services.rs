//! One name per member, and one for clients.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;
use taffrail_crds::{CLUSTER, EtcdCluster, ROLE};

use super::meta;
use crate::names::{CLIENT_PORT, METRICS_PORT, Names, PEER_PORT};

/// Headless: members find each other before they are ready.
pub fn peer_service(cluster: &EtcdCluster, names: &Names) -> Service {
    let spec = ServiceSpec {
        cluster_ip: Some("None".into()),
        publish_not_ready_addresses: Some(true),
        selector: Some([(CLUSTER.to_owned(), cluster.name_any())].into()),
        ports: Some(vec![
            port("peer", PEER_PORT),
            port("client", CLIENT_PORT),
            port("metrics", METRICS_PORT),
        ]),
        ..families(cluster)
    };
    Service {
        metadata: meta(cluster, names.peer_service()),
        spec: Some(spec),
        status: None,
    }
}

/// For clients: voters that are ready.
pub fn client_service(cluster: &EtcdCluster, names: &Names) -> Service {
    let template = &cluster.spec.service;
    let selector: BTreeMap<_, _> = [
        (CLUSTER.to_owned(), cluster.name_any()),
        (ROLE.to_owned(), "voter".into()),
    ]
    .into();
    let spec = ServiceSpec {
        type_: Some(template.r#type.clone().unwrap_or_else(|| "ClusterIP".into())),
        selector: Some(selector),
        ports: Some(vec![port("client", CLIENT_PORT)]),
        ..families(cluster)
    };
    let mut metadata = meta(cluster, names.client_service());
    let labels = metadata.labels.get_or_insert_default();
    template.labels.iter().for_each(|(key, value)| {
        labels.entry(key.clone()).or_insert_with(|| value.clone());
    });
    metadata.annotations = (!template.annotations.is_empty()).then(|| template.annotations.clone());
    Service {
        metadata,
        spec: Some(spec),
        status: None,
    }
}

fn families(cluster: &EtcdCluster) -> ServiceSpec {
    let template = &cluster.spec.service;
    ServiceSpec {
        ip_family_policy: template.ip_family_policy.clone(),
        ip_families: (!template.ip_families.is_empty()).then(|| template.ip_families.clone()),
        ..ServiceSpec::default()
    }
}

fn port(name: &str, port: i32) -> ServicePort {
    ServicePort {
        name: Some(name.into()),
        port,
        protocol: Some("TCP".into()),
        target_port: Some(IntOrString::Int(port)),
        ..ServicePort::default()
    }
}
