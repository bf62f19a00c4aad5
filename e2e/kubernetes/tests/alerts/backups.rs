//! Backups that fail, that nobody verifies, that lost something.

use serde_json::{Value, json};
use taffrail_e2e_kubernetes::backups::{ask, end_of};
use taffrail_e2e_kubernetes::bulk::{fill, remove};
use taffrail_e2e_kubernetes::{Bucket, Cluster, Image, Kubernetes};

use crate::raised::Raised;

const MEBIBYTES: usize = 16;

pub async fn fail(kubernetes: &Kubernetes, raised: &Raised, cluster: &Cluster) {
    let bucket = Bucket::begin(&cluster.namespace).await;
    ask(cluster, "nowhere", bucket.target_in("nowhere"), json!({})).await;
    let failed = ["TaffrailBackupFailed", "TaffrailBackupNotReady"];
    raised.by("the bucket is missing", &failed).await;

    fill(cluster, MEBIBYTES).await;
    let key = stored(cluster, &bucket, "whole").await;
    raised.by("nobody verifies it", &["TaffrailBackupNotVerified"]).await;
    remove(cluster, MEBIBYTES).await;
    stored(cluster, &bucket, "less").await;
    raised.by("most keys are gone", &["TaffrailBackupShrunk"]).await;

    grow_old(cluster).await;
    raised.by("the newest is of last year", &["TaffrailBackupTooOld"]).await;

    let missing = restored(kubernetes, &bucket, bucket.target(), "nothing.snap").await;
    raised.by("the object is missing", &["TaffrailRestoreFailed"]).await;
    let relay = bucket.relay().await;
    relay.holds();
    let held = restored(kubernetes, &bucket, bucket.target_by(&relay), &key).await;
    raised.by("the store does not answer", &["TaffrailRestoreStuck"]).await;
    relay.passes();
    drop((missing, held));
}

async fn stored(cluster: &Cluster, bucket: &Bucket, name: &str) -> String {
    ask(cluster, name, bucket.target(), json!({})).await;
    let status = end_of(&cluster.namespace, name).await;
    status.artifact.unwrap_or_else(|| panic!("{name} was not stored")).key
}

async fn restored(kubernetes: &Kubernetes, bucket: &Bucket, target: Value, key: &str) -> Cluster {
    let namespace = kubernetes.namespace().await;
    bucket.known_in(&namespace).await;
    let source = json!({"object": {"target": target, "key": key}});
    let spec = json!({"replicas": 1, "bootstrap": {"restore": {"source": source}}});
    Cluster::declare(namespace, Image::Taffrail, spec).await
}

/// As if they had ended long ago, and the cluster had never heard of later ones.
async fn grow_old(cluster: &Cluster) {
    let long_ago = "2025-11-01T00:00:00Z";
    let of_backup = json!({"status": {"completedAt": long_ago}});
    let of_cluster = json!({"status": {"backup": {"lastSuccessfulBackup": long_ago}}});
    for (kind, name, status) in [
        ("etcdbackup", "whole", &of_backup),
        ("etcdbackup", "less", &of_backup),
        ("etcdcluster", "safe", &of_cluster),
    ] {
        let status = status.to_string();
        let words = [
            "patch",
            kind,
            name,
            "--subresource=status",
            "--type=merge",
            "-p",
            &status,
        ];
        cluster.namespace.kubectl(&words).await.expect("patched");
    }
}
