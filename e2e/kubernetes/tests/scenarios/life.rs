//! The cluster of the README: made, used, resized, put to sleep.

use std::time::{Duration, Instant};

use serde_json::json;
use taffrail_e2e_kubernetes::{Cluster, Image, Kubernetes, Life};

const TIME_TO_FOUND: Duration = Duration::from_secs(60);

async fn founded(image: Image) -> Cluster {
    let kubernetes = Kubernetes::from_env().await;
    kubernetes.with_operator().await.expect("the operator rolls out");
    let start = Instant::now();
    let cluster = Cluster::declare(kubernetes.namespace().await, image, json!({})).await;
    cluster.condition("Available", "True").await;
    assert!(start.elapsed() < TIME_TO_FOUND, "available after {:?}", start.elapsed());
    cluster.settles().await;
    println!("TIME_TO_FOUND image={image:?} ms={}", start.elapsed().as_millis());
    cluster
}

async fn can_be_read_and_used(cluster: &Cluster) {
    cluster.etcdctl(&["put", "hello", "world"]).await.unwrap();
    let health = cluster.etcdctl(&["endpoint", "health", "--cluster"]).await;
    assert!(health.is_ok(), "{health:?}");
    let table = cluster
        .namespace
        .kubectl(&["get", "etcdcluster", "safe"])
        .await
        .unwrap();
    for word in [
        "READY", "VERSION", "LEADER", "PHASE", "3/3", "3.6.14", "Running", "safe-",
    ] {
        assert!(table.contains(word), "{word} is not in\n{table}");
    }
}

async fn scale(life: &Life, to: i32) {
    let replicas = format!("--replicas={to}");
    let words = ["scale", "etcdcluster/safe", &replicas];
    life.cluster.namespace.kubectl(&words).await.unwrap();
    life.cluster.settles().await;
}

async fn a_cluster_lives(image: Image) {
    let cluster = founded(image).await;
    can_be_read_and_used(&cluster).await;
    let life = Life::of(cluster).await;
    life.during("scale_3_to_5", scale(&life, 5)).await;
    life.during("scale_5_to_3", scale(&life, 3)).await;
    life.during("hibernate_and_wake", async {
        scale(&life, 0).await;
        assert!(life.cluster.pod_uids().await.is_empty());
        scale(&life, 3).await;
    })
    .await;
    life.during("scale_3_to_1", scale(&life, 1)).await;
    let found = life
        .cluster
        .etcdctl(&["get", "hello", "--print-value-only"])
        .await
        .unwrap();
    assert_eq!(found.trim(), "world");
    life.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_founded_resized_and_put_to_sleep_under_load() {
    a_cluster_lives(Image::Taffrail).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_etcd_is_founded_resized_and_put_to_sleep_under_load() {
    a_cluster_lives(Image::Stock).await;
}
