//! A gibibyte, while clients write. By hand: it takes minutes and tells figures.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use taffrail_e2e_kubernetes::bulk::{Writers, count, fill};
use taffrail_e2e_kubernetes::{Bucket, Image};

use crate::peak::Peaks;
use crate::shelf::{ask, cluster, end_of, lose, namespace};

fn spec() -> Value {
    json!({"replicas": 3, "storage": {"size": "8Gi"}, "quota": "4Gi", "tls": {"client": {"mode": "Disabled"}}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: --ignored --nocapture"]
async fn a_gibibyte_is_backed_up_and_restored_while_clients_write() {
    let mebibytes: usize = std::env::var("TAFFRAIL_LARGE_MIB")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1024);
    let first = cluster(namespace().await, Image::Taffrail, spec()).await;
    let bucket = Bucket::begin(&first.namespace).await;
    let keys = fill(&first, mebibytes).await;
    let writers = Writers::begin(&first).await;
    let before = writers.rate(Duration::from_secs(20)).await;
    let peaks = Peaks::begin();
    let start = Instant::now();
    let limits = json!({"resources": {"limits": {"memory": "128Mi"}}});
    ask(
        &first,
        "large",
        bucket.target(),
        json!({"verify": false, "pod": limits}),
    )
    .await;
    let during = writers.rate(Duration::from_secs(15)).await;
    let status = end_of(&first.namespace, "large").await;
    let took = start.elapsed();
    let artifact = status.artifact.clone().unwrap_or_else(|| panic!("{status:#?}"));
    println!(
        "BACKUP mebibytes={mebibytes} seconds={:.1} snapshot_bytes={} stored_bytes={} limit_mib=128 \
         peak_kib={} writes_before={before:.0}/s during={during:.0}/s",
        took.as_secs_f64(),
        artifact.snapshot_bytes,
        artifact.size_bytes,
        peaks.of("taffrail-operator backup")
    );
    writers.end();
    let namespace = lose(first).await;
    let (peaks, start) = (Peaks::begin(), Instant::now());
    let mut spec = spec();
    spec["bootstrap"] = json!({"restore": {"source": {"backupName": "large"}}});
    let again = cluster(namespace, Image::Taffrail, spec).await;
    println!(
        "RESTORE mebibytes={mebibytes} seconds={:.1} fetch_peak_kib={} etcdutl_peak_kib={}",
        start.elapsed().as_secs_f64(),
        peaks.of("taffrail-operator backup"),
        peaks.of("etcdutl snapshot restore")
    );
    assert_eq!(count(&again).await, keys);
}
