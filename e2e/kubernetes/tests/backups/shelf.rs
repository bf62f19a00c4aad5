//! A namespace with an operator, a bucket and clusters that come and go.

use std::time::Duration;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};
use taffrail_crds::{BackupPhase, EtcdBackupStatus};
pub use taffrail_e2e_kubernetes::backups::{ask, end_of};
use taffrail_e2e_kubernetes::{Bucket, Cluster, Image, Kubernetes, Namespace, wait};

pub const KEYS: usize = 100;

pub async fn namespace() -> Namespace {
    let kubernetes = Kubernetes::from_env().await;
    kubernetes.with_operator().await.expect("the operator rolls out");
    kubernetes.namespace().await
}

pub async fn cluster(namespace: Namespace, image: Image, spec: Value) -> Cluster {
    let cluster = Cluster::declare(namespace, image, spec).await;
    cluster.settles().await;
    cluster
}

/// A cluster that begins with this.
pub async fn restored(namespace: Namespace, image: Image, source: Value) -> Cluster {
    cluster(
        namespace,
        image,
        json!({"replicas": 3, "bootstrap": {"restore": {"source": source}}}),
    )
    .await
}

/// Keys, one of them below a lease of an hour. Returns the revision after the last.
pub async fn write(cluster: &Cluster) -> i64 {
    let granted = cluster.etcdctl(&["lease", "grant", "3600"]).await.expect("a lease");
    let lease = granted.split_whitespace().nth(1).expect("its ID").to_owned();
    let put = cluster.etcdctl(&["put", "leased", "value", "--lease", &lease]).await;
    put.expect("written");
    for number in 0..KEYS {
        let key = format!("kept/{number:04}");
        cluster.etcdctl(&["put", &key, "value"]).await.expect("written");
    }
    revision(cluster).await
}

pub async fn revision(cluster: &Cluster) -> i64 {
    let said = cluster
        .etcdctl(&["get", "kept/0000", "-w", "json"])
        .await
        .expect("read");
    let said: Value = serde_json::from_str(&said).expect("JSON");
    said["header"]["revision"].as_i64().expect("a number")
}

/// All of [`write`] is there, at a revision that is not lower.
pub async fn has_it_all(cluster: &Cluster, written: i64) {
    let found = cluster.etcdctl(&["get", "kept/", "--prefix", "--keys-only"]).await;
    assert_eq!(found.expect("read").split_whitespace().count(), KEYS);
    let leased = cluster.etcdctl(&["get", "leased", "-w", "json"]).await.expect("read");
    let leased: Value = serde_json::from_str(&leased).expect("JSON");
    assert!(
        leased["kvs"][0]["lease"].as_i64().is_some_and(|lease| lease != 0),
        "{leased}"
    );
    let lease = format!("{:x}", leased["kvs"][0]["lease"].as_i64().unwrap_or_default());
    let lives = cluster.etcdctl(&["lease", "timetolive", &lease]).await.expect("read");
    assert!(lives.contains("granted with TTL(3600s)"), "{lives}");
    let now = revision(cluster).await;
    assert!(now > written, "revision {now} after {written}");
}

pub async fn backup(cluster: &Cluster, bucket: &Bucket, name: &str) -> EtcdBackupStatus {
    ask(cluster, name, bucket.target(), json!({"verify": true})).await;
    let status = end_of(&cluster.namespace, name).await;
    assert_eq!(status.phase, BackupPhase::Succeeded, "{status:#?}");
    status
}

/// The cluster goes, and every volume with it.
pub async fn lose(cluster: Cluster) -> Namespace {
    let Cluster { namespace, .. } = cluster;
    namespace
        .kubectl(&["delete", "etcdcluster", "safe"])
        .await
        .expect("deleted");
    let every = ["delete", "pvc", "-l", "etcd.taffrail.dev/cluster=safe", "--wait=false"];
    namespace.kubectl(&every).await.expect("deleted");
    let claims: Api<PersistentVolumeClaim> = namespace.api();
    let of_cluster = ListParams::default().labels("etcd.taffrail.dev/cluster=safe");
    wait::until("every volume is gone", Duration::from_secs(120), async || {
        let left = claims.list(&of_cluster).await.ok()?;
        left.items.is_empty().then_some(())
    })
    .await;
    namespace
}
