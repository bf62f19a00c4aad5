//! A real Prometheus, configured as the documentation says, finds operator and members; every alert is evaluated and
//! none raised; every panel of every dashboard has something to show. With PANELS=FOLDER what they show is kept there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::{Map, Value, json};
use taffrail_e2e_kubernetes::{Cluster, Helm, Namespace, PATIENCE, Prometheus, wait};

use crate::world::World;

const PORT: u16 = 29_090;
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// What a minute of `rate` needs, and a little.
const SPAN: Duration = Duration::from_secs(75);
/// In health there is nothing to show.
const EMPTY: [&str; 6] = [
    "Failed calls a second",
    "Steps",
    "Failures",
    "Restores",
    "Defragmentations",
    "Given back to disks",
];
const STORE: &str = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: store}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: etcd.taffrail.dev/v1alpha1
kind: EtcdBackup
metadata: {name: first}
spec: {clusterRef: {name: demo}, verify: true, target: {volume: {claimName: store}}}
";

/// The configuration in the documentation, in a hurry. Debian's Prometheus cannot look for pods itself: it is given what
/// it would have found.
async fn documented(world: &World, cluster: &Cluster) -> String {
    let page = Prometheus::file(&Path::new(ROOT).join("docs/operations/monitoring.md"));
    let mut blocks = page
        .split("```yaml\n")
        .skip(1)
        .filter_map(|block| block.split("```").next());
    let block = blocks
        .find(|block| block.contains("scrape_configs"))
        .expect("it is there");
    let found = json!([found(&world.system).await, found(&cluster.namespace).await].concat()).to_string();
    let known = block.replace(
        "kubernetes_sd_configs: [{role: pod}]",
        &format!("static_configs: {found}"),
    );
    let rules = Helm::chart("etcd-operator").join("rules/*.yaml").display().to_string();
    let lines = known.lines().filter(|line| !line.starts_with("rule_files:"));
    let rest: String = lines.map(|line| format!("{line}\n")).collect();
    format!("global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: ['{rules}']\n{rest}")
}

/// Every port of every pod, with the labels of Prometheus' discovery.
async fn found(namespace: &Namespace) -> Vec<Value> {
    let pods = namespace
        .api::<Pod>()
        .list(&ListParams::default())
        .await
        .expect("they are listed");
    pods.iter().flat_map(targets).collect()
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

pub async fn everything_is_seen(world: &World, cluster: &Cluster) {
    let prometheus = Prometheus::start(&documented(world, cluster).await, PORT).await;
    cluster.namespace.apply(STORE).await.expect("it is valid");
    targets_are_up(&prometheus, cluster).await;
    let work = async {
        for number in 0..10_000 {
            let value = format!("{number:0>512}");
            drop(cluster.etcdctl_as("demo-client", &["put", "busy", &value]).await);
        }
    };
    tokio::select! {
        () = work => {}
        () = tokio::time::sleep(SPAN) => {}
    }
    let words = ["wait", "--for=condition=Verified", "etcdb/first", "--timeout=120s"];
    cluster.namespace.kubectl(&words).await.expect("it is verified");
    alerts_are_evaluated_and_none_is_raised(&prometheus).await;
    panels_show_something(&prometheus, cluster).await;
}

async fn targets_are_up(prometheus: &Prometheus, cluster: &Cluster) {
    let job = format!("etcd/{}/demo", cluster.namespace.name());
    for (job, count) in [(job.as_str(), "3"), ("taffrail-operator", "2")] {
        let expression = format!("sum(up{{job=\"{job}\"}})");
        wait::until(&format!("{count} of {job} are scraped"), PATIENCE, async || {
            let found = prometheus.query(&expression).await;
            (found.first()?["value"][1] == count).then_some(())
        })
        .await;
    }
}

async fn alerts_are_evaluated_and_none_is_raised(prometheus: &Prometheus) {
    let groups = prometheus.api("/api/v1/rules", &[]).await;
    let groups = groups["groups"].as_array().cloned().unwrap_or_default();
    let rules: Vec<Value> = groups
        .iter()
        .filter_map(|group| group["rules"].as_array().cloned())
        .flatten()
        .collect();
    assert!(rules.len() > 40, "{}", rules.len());
    for rule in &rules {
        assert_eq!(rule["health"], "ok", "{}: {}", rule["name"], rule["lastError"]);
        assert_ne!(rule["state"], "firing", "{rule}");
    }
    println!("CHART alerts_evaluated={}", rules.len());
}

async fn panels_show_something(prometheus: &Prometheus, cluster: &Cluster) {
    let folder = Helm::chart("etcd-operator").join("dashboards");
    let (mut shown, mut empty) = (0, Vec::new());
    for entry in std::fs::read_dir(folder).expect("it is there") {
        let path = entry.expect("it can be read").path();
        let board: Value = serde_json::from_str(&Prometheus::file(&path)).expect("a dashboard");
        let mut kept = Vec::new();
        for panel in board["panels"].as_array().expect("it has panels") {
            let series = of_panel(prometheus, cluster, panel).await;
            let title = panel["title"].as_str().unwrap_or_default().to_owned();
            match series
                .iter()
                .any(|one| !one["series"].as_array().is_none_or(Vec::is_empty))
            {
                true => shown += 1,
                false if panel["type"] == "row" || EMPTY.contains(&title.as_str()) => {}
                false => empty.push(title),
            }
            kept.push(json!({"panel": panel, "targets": series}));
        }
        keep(&path, &json!({"title": board["title"], "panels": kept}));
    }
    assert!(empty.is_empty(), "nothing to show: {empty:?}");
    println!("CHART panels_with_data={shown}");
}

/// Each of its expressions with what came of it.
async fn of_panel(prometheus: &Prometheus, cluster: &Cluster, panel: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    for target in panel["targets"].as_array().into_iter().flatten() {
        let expression = target["expr"].as_str().expect("an expression");
        let filled = expression
            .replace("$__rate_interval", "1m")
            .replace("$namespace", cluster.namespace.name())
            .replace("$cluster", "demo");
        let series = match panel["type"] == "timeseries" {
            true => prometheus.range(&filled, SPAN.as_secs()).await,
            false => prometheus.query(&filled).await,
        };
        all.push(json!({"legend": target["legendFormat"], "expr": filled, "series": series}));
    }
    all
}

fn keep(board: &Path, shown: &Value) {
    if let Some(folder) = std::env::var_os("PANELS").map(PathBuf::from) {
        let file = folder.join(board.file_name().unwrap_or_default());
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        std::fs::write(file, shown.to_string()).expect("it can be written");
    }
}
