//! Stores that are not there, stand still or changed what was in them.

use serde_json::json;
use taffrail_crds::{BackupPhase, RestorePhase};
use taffrail_e2e_kubernetes::{Bucket, Cluster, Image};

use crate::shelf::{ask, backup, cluster, end_of, has_it_all, lose, namespace, write};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_not_there_or_stands_still_is_told_of_and_good_backups_stay() {
    let cluster = cluster(namespace().await, Image::Taffrail, json!({"replicas": 1})).await;
    let bucket = Bucket::begin(&cluster.namespace).await;
    backup(&cluster, &bucket, "good").await;
    let before = bucket.keys().await;
    ask(&cluster, "nowhere", bucket.target_in("nowhere"), json!({})).await;
    let nowhere = end_of(&cluster.namespace, "nowhere").await;
    assert_eq!(
        (nowhere.phase, nowhere.attempts),
        (BackupPhase::Failed, 1),
        "{nowhere:#?}"
    );
    assert_eq!(nowhere.reason.as_deref(), Some("NoSuchBucket"));
    bucket.stalls().await;
    ask(
        &cluster,
        "late",
        bucket.target(),
        json!({"deadlineSeconds": 20, "retries": 0}),
    )
    .await;
    let late = end_of(&cluster.namespace, "late").await;
    assert_eq!(late.phase, BackupPhase::Failed, "{late:#?}");
    bucket.goes_on().await;
    assert!(before.iter().all(|key| !key.is_empty()));
    let after = bucket.keys().await;
    assert!(before.iter().all(|key| after.contains(key)), "{before:?} {after:?}");
    cluster
        .reaches("it says that the last one failed", |_, status| {
            let mut conditions = status.conditions.iter();
            conditions.any(|one| one.type_ == "BackupReady" && one.status == "False" && one.message.contains("late"))
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_in_which_a_bit_was_flipped_is_not_restored_and_another_is_once_it_is_declared() {
    let cluster = cluster(namespace().await, Image::Taffrail, json!({"replicas": 1})).await;
    let bucket = Bucket::begin(&cluster.namespace).await;
    let written = write(&cluster).await;
    let bad = backup(&cluster, &bucket, "bad").await;
    backup(&cluster, &bucket, "good").await;
    bucket.flip_a_bit(&bad.artifact.expect("it was stored").key).await;
    let namespace = lose(cluster).await;
    let spec = json!({"replicas": 1, "bootstrap": {"restore": {"source": {"backupName": "bad"}}}});
    let again = Cluster::declare(namespace, Image::Taffrail, spec).await;
    let told = again
        .reaches("the restore is given up", |_, status| {
            status
                .restore
                .as_ref()
                .is_some_and(|one| one.phase == RestorePhase::Failed)
        })
        .await;
    let restore = told.restore.expect("it was there");
    assert_eq!(restore.reason.as_deref(), Some("ChecksumMismatch"), "{restore:#?}");
    assert_eq!(told.cluster_id, None);
    again
        .change(json!({"bootstrap": {"restore": {"source": {"backupName": "good"}}}}))
        .await;
    again.settles().await;
    has_it_all(&again, written).await;
}
