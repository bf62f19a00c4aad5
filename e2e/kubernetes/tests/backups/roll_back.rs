//! A living cluster goes back.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::json;
use taffrail_crds::{KEPT, RollBackPhase};
use taffrail_e2e_kubernetes::{Bucket, Image};

use crate::shelf::{backup, cluster, has_it_all, namespace, write};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_living_cluster_goes_back_to_a_backup_and_its_old_volumes_are_kept_aside() {
    let cluster = cluster(namespace().await, Image::Taffrail, json!({})).await;
    let bucket = Bucket::begin(&cluster.namespace).await;
    let written = write(&cluster).await;
    backup(&cluster, &bucket, "before").await;
    cluster
        .etcdctl(&["del", "kept/", "--prefix"])
        .await
        .expect("an accident");
    let old = cluster.names().await;
    let consent = json!({"etcd.taffrail.dev/roll-back-to": "before", "etcd.taffrail.dev/accept-data-loss": "safe"});
    cluster.patch(json!({"metadata": {"annotations": consent}})).await;
    cluster
        .reaches("it went back", |_, status| {
            status
                .roll_back
                .as_ref()
                .is_some_and(|one| one.phase == RollBackPhase::Done)
        })
        .await;
    cluster.settles().await;
    has_it_all(&cluster, written).await;
    assert!(cluster.names().await.iter().all(|name| !old.contains(name)));
    let claims: Api<PersistentVolumeClaim> = cluster.namespace.api();
    let all = claims.list(&ListParams::default()).await.expect("listed").items;
    let kept = all.iter().filter(|claim| claim.annotations().contains_key(KEPT));
    assert_eq!(kept.count(), 3);
}
