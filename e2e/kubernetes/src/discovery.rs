//! What Prometheus would find, and its configuration.

use std::path::Path;

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::{Map, Value, json};

use crate::{Kubernetes, Prometheus};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations/monitoring.md");

/// The configuration in the documentation, in a hurry, with every rule in the folder. Debian's Prometheus cannot look
/// for pods itself: it is given what it would have found in these namespaces.
pub async fn documented(namespaces: &[&str], rules: &Path) -> String {
    let page = Prometheus::file(Path::new(PAGE));
    let mut blocks = page
        .split("```yaml\n")
        .skip(1)
        .filter_map(|block| block.split("```").next());
    let block = blocks
        .find(|block| block.contains("scrape_configs"))
        .expect("it is there");
    let known = block.replace(
        "kubernetes_sd_configs: [{role: pod}]",
        &format!("static_configs: {}", Value::Array(found(namespaces).await)),
    );
    let lines = known.lines().filter(|line| !line.starts_with("rule_files:"));
    let rest: String = lines.map(|line| format!("{line}\n")).collect();
    let rules = rules.join("*.yaml").display().to_string();
    format!("global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: ['{rules}']\n{rest}")
}

/// Every port of every pod, with the labels of Prometheus' discovery.
async fn found(namespaces: &[&str]) -> Vec<Value> {
    let client = Kubernetes::from_env().await.client;
    let mut all = Vec::new();
    for namespace in namespaces {
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let pods = pods.list(&ListParams::default()).await.expect("they are listed");
        all.extend(pods.iter().flat_map(targets));
    }
    all
}

fn targets(pod: &Pod) -> Vec<Value> {
    let mut labels = Map::new();
    let meta = |name: &str| format!("__meta_kubernetes_{name}");
    labels.insert(meta("namespace"), pod.namespace().unwrap_or_default().into());
    labels.insert(meta("pod_name"), pod.name_any().into());
    for (name, value) in pod.labels() {
        labels.insert(
            meta(&format!("pod_label_{}", name.replace(['.', '/', '-'], "_"))),
            value.clone().into(),
        );
    }
    let address = pod.status.iter().find_map(|status| status.pod_ip.clone());
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let ports = containers
        .flat_map(|one| one.ports.iter().flatten())
        .filter_map(|port| {
            let mut labels = labels.clone();
            labels.insert(meta("pod_container_port_name"), port.name.clone()?.into());
            let target = format!("{}:{}", address.as_ref()?, port.container_port);
            Some(json!({"targets": [target], "labels": labels}))
        });
    ports.collect()
}
