//! What was backed up comes back.

use serde_json::json;
use taffrail_crds::{EtcdBackup, RestorePhase};
use taffrail_e2e_kubernetes::{Bucket, Image, PATIENCE, run, wait};

use crate::shelf::{backup, cluster, has_it_all, lose, namespace, restored, write};

/// By its schedule, every minute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_was_deleted_with_its_volumes_comes_back_from_the_last_scheduled_backup() {
    let cluster = cluster(namespace().await, Image::Taffrail, json!({})).await;
    let bucket = Bucket::begin(&cluster.namespace).await;
    let written = write(&cluster).await;
    let spec = json!({"schedule": "* * * * *", "verifyEvery": 1, "retention": {"last": 2},
                      "template": {"clusterRef": {"name": "safe"}, "target": bucket.target()}});
    let schedule = json!({"apiVersion": "etcd.taffrail.dev/v1alpha1", "kind": "EtcdBackupSchedule",
                          "metadata": {"name": "often"}, "spec": spec});
    cluster
        .namespace
        .apply(&schedule.to_string())
        .await
        .expect("it is valid");
    let backups: kube::Api<EtcdBackup> = cluster.namespace.api();
    let verified = wait::until("two backups were made and verified", PATIENCE, async || {
        let all = backups.list(&kube::api::ListParams::default()).await.ok()?.items;
        let good = all.into_iter().filter_map(|one| one.status?.verification);
        let good: Vec<_> = good.filter(|one| one.verified_at.is_some()).collect();
        (good.len() >= 2).then_some(good)
    })
    .await;
    assert!(verified.iter().all(|one| one.revision >= written), "{verified:?}");
    cluster.condition("BackupReady", "True").await;
    let namespace = lose(cluster).await;
    let again = restored(namespace, Image::Taffrail, json!({"scheduleName": "often"})).await;
    has_it_all(&again, written).await;
    let restore = again.status().await.restore.expect("it says what it began with");
    assert_eq!(restore.phase, RestorePhase::Restored, "{restore:?}");
}

/// From Taffrail to stock etcd and back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backups_go_both_ways_between_taffrail_and_stock_etcd() {
    let first = cluster(namespace().await, Image::Taffrail, json!({})).await;
    let bucket = Bucket::begin(&first.namespace).await;
    let written = write(&first).await;
    backup(&first, &bucket, "of-taffrail").await;
    let namespace = lose(first).await;
    let stock = restored(namespace, Image::Stock, json!({"backupName": "of-taffrail"})).await;
    has_it_all(&stock, written).await;
    let later = crate::shelf::revision(&stock).await;
    backup(&stock, &bucket, "of-stock").await;
    let namespace = lose(stock).await;
    let back = restored(namespace, Image::Taffrail, json!({"backupName": "of-stock"})).await;
    has_it_all(&back, later).await;
}

/// As `etcdctl snapshot save` writes it, put into the bucket by hand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_begins_with_a_plain_snapshot_of_stock_etcd() {
    let namespace = namespace().await;
    let bucket = Bucket::begin(&namespace).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("plain.db");
    let taken = cluster(
        namespace,
        Image::Stock,
        json!({"replicas": 1, "tls": {"client": {"mode": "Disabled"}}}),
    )
    .await;
    let pod = wait::until("a member has an address", PATIENCE, async || {
        let name = taken.names().await.first()?.clone();
        taken.pod(&name).await?.status?.pod_ip
    })
    .await;
    let endpoint = format!("--endpoints=http://{pod}:2379");
    for number in 0..crate::shelf::KEYS {
        let key = format!("kept/{number:04}");
        run("etcdctl", &[&endpoint, "put", &key, "value"], None)
            .await
            .expect("written");
    }
    let path = file.display().to_string();
    run("etcdctl", &[&endpoint, "snapshot", "save", &path], None)
        .await
        .expect("saved");
    bucket.put("by-hand/plain.db", &file).await;
    let namespace = lose(taken).await;
    let object = json!({"target": bucket.target(), "key": "by-hand/plain.db"});
    let again = restored(namespace, Image::Taffrail, json!({"object": object})).await;
    let found = again
        .etcdctl(&["get", "kept/", "--prefix", "--keys-only"])
        .await
        .expect("read");
    assert_eq!(found.split_whitespace().count(), crate::shelf::KEYS);
}
