//! Each alert is raised by the fault that it is for: real members, a real operator, a real Prometheus.
//!
//! Rules are the chart's, thresholds and all; only how long a fault has to last (`for`) is left out, which promtool
//! tests. By hand: it takes minutes, and the operator and its rights are taken away in it.

mod backups;
mod members;
mod objects;
mod operator;
mod raised;
mod space;

use serde_json::json;
use taffrail_e2e_kubernetes::{Cluster, Image, Kubernetes, OPERATOR_NAMESPACE};

use raised::Raised;

async fn cluster(kubernetes: &Kubernetes, image: Image, replicas: u32, quota: &str) -> Cluster {
    let spec = json!({"replicas": replicas, "quota": quota, "options": {"metrics": "extensive"},
                      "tls": {"client": {"mode": "Disabled"}}});
    Cluster::declare(kubernetes.namespace().await, image, spec).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: --ignored --nocapture"]
async fn each_alert_is_raised_by_its_fault() {
    let kubernetes = Kubernetes::from_env().await;
    kubernetes.with_operator().await.expect("the operator rolls out");
    let three = cluster(&kubernetes, Image::Taffrail, 3, "512Mi").await;
    let small = cluster(&kubernetes, Image::Taffrail, 1, "64Mi").await;
    let stock = cluster(&kubernetes, Image::Stock, 1, "512Mi").await;
    for one in [&three, &small, &stock] {
        one.settles().await;
    }
    let scraped = [
        OPERATOR_NAMESPACE,
        three.namespace.name(),
        small.namespace.name(),
        stock.namespace.name(),
    ];
    let raised = Raised::watch(&scraped).await;
    raised
        .by("nothing is backed up", &["TaffrailClusterWithoutBackup"])
        .await;
    objects::are_wrong(&kubernetes, &raised).await;
    backups::fail(&kubernetes, &raised, &small).await;
    space::runs_out(&raised, &small, &stock).await;
    members::are_in_trouble(&raised, &three, &small, &stock).await;
    operator::is_in_trouble(&kubernetes, &raised).await;
    raised.tell().await;
}
