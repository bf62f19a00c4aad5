//! A gibibyte, while clients write. By hand: it takes minutes and tells figures.

use std::time::{Duration, Instant};

use serde_json::json;
use taffrail_e2e_kubernetes::{Bucket, Image, Life, PATIENCE, run};

use crate::shelf::{ask, cluster, end_of, lose, namespace, restored};

const VALUE_BYTES: usize = 64 << 10;

/// `benchmark` of upstream puts keys that differ.
async fn fill(address: &str, mebibytes: usize) {
    let total = (mebibytes << 20) / VALUE_BYTES;
    let words = [
        format!("--endpoints=http://{address}:2379"),
        "--conns=4".into(),
        "--clients=16".into(),
        "put".into(),
        "--sequential-keys".into(),
        format!("--key-space-size={total}"),
        format!("--total={total}"),
        format!("--val-size={VALUE_BYTES}"),
    ];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    run("benchmark", &words, None).await.expect("written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: --ignored --nocapture"]
async fn a_gibibyte_is_backed_up_and_restored_while_clients_write() {
    let mebibytes: usize = std::env::var("TAFFRAIL_LARGE_MIB")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1024);
    let spec = json!({"storage": {"size": "8Gi"}, "quota": "4Gi", "tls": {"client": {"mode": "Disabled"}}});
    let first = cluster(namespace().await, Image::Taffrail, spec).await;
    let bucket = Bucket::begin(&first.namespace).await;
    let leader = first.leader().await;
    let address = first
        .pod(&leader)
        .await
        .and_then(|pod| pod.status?.pod_ip)
        .expect("an address");
    fill(&address, mebibytes).await;
    let life = Life::of(first).await;
    life.workload.goes_on(500, PATIENCE).await;
    let before = rate(&life, Duration::from_secs(20)).await;
    let start = Instant::now();
    let limits = json!({"resources": {"limits": {"memory": "128Mi"}}});
    ask(
        &life.cluster,
        "large",
        bucket.target(),
        json!({"verify": false, "pod": limits}),
    )
    .await;
    let during = rate(&life, Duration::from_secs(15)).await;
    let status = end_of(&life.cluster.namespace, "large").await;
    let took = start.elapsed();
    let artifact = status.artifact.clone().unwrap_or_else(|| panic!("{status:#?}"));
    println!(
        "BACKUP mebibytes={mebibytes} seconds={:.1} snapshot_bytes={} stored_bytes={} limit_mib=128 \
         client_ops_before={before:.0}/s during={during:.0}/s",
        took.as_secs_f64(),
        artifact.snapshot_bytes,
        artifact.size_bytes
    );
    let Life {
        cluster: first,
        workload,
    } = life;
    assert!(workload.stop().await.expect("it answers").is_clean);
    let namespace = lose(first).await;
    let start = Instant::now();
    let again = restored(namespace, Image::Taffrail, json!({"backupName": "large"})).await;
    println!(
        "RESTORE mebibytes={mebibytes} seconds={:.1}",
        start.elapsed().as_secs_f64()
    );
    let revision = again.status().await.members.len();
    assert_eq!(revision, 3);
}

async fn rate(life: &Life, over: Duration) -> f64 {
    let (start, before) = (Instant::now(), life.workload.acknowledged());
    tokio::time::sleep(over).await;
    (life.workload.acknowledged() - before) as f64 / start.elapsed().as_secs_f64()
}
