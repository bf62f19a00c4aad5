//! A real Prometheus, configured as the documentation says, finds operator and members; every alert is evaluated and
//! none raised; every panel of every dashboard has something to show. With PANELS=FOLDER what they show is kept there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use taffrail_e2e_kubernetes::{Cluster, Helm, PATIENCE, Prometheus, documented, wait};

use crate::world::World;

const PORT: u16 = 29_090;
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

pub async fn everything_is_seen(world: &World, cluster: &Cluster) {
    let rules = Helm::chart("etcd-operator").join("rules");
    let prometheus = Prometheus::start(
        &documented(&[world.system.name(), cluster.namespace.name()], &rules).await,
        PORT,
    )
    .await;
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
