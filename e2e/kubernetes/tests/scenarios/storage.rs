//! Volumes: larger ones, others, and what becomes of them.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::{Api, ResourceExt};
use serde_json::json;
use taffrail_crds::{EtcdCluster, KEPT};
use taffrail_e2e_kubernetes::{Cluster, Image, Kubernetes, Life, PATIENCE, wait};

async fn claims(cluster: &Cluster) -> Vec<PersistentVolumeClaim> {
    let api: Api<PersistentVolumeClaim> = cluster.namespace.api();
    wait::until("claims are listed", PATIENCE, async || {
        api.list(&Default::default()).await.ok()
    })
    .await
    .items
}

fn capacity(claim: &PersistentVolumeClaim) -> Option<&str> {
    Some(claim.status.as_ref()?.capacity.as_ref()?.get("storage")?.0.as_str())
}

async fn cluster_is_deleted(cluster: &Cluster) {
    cluster
        .namespace
        .kubectl(&["delete", "etcdcluster", "safe", "--wait=false"])
        .await
        .unwrap();
    let api: Api<EtcdCluster> = cluster.namespace.api();
    wait::until("everything but volumes is gone", PATIENCE, async || {
        let gone = api.get_opt("safe").await.ok()?.is_none();
        (gone && cluster.pod_uids().await.is_empty() && cluster.names().await.is_empty()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn volumes_grow_change_their_class_and_stay_when_the_cluster_goes() {
    let life = Life::begin(Image::Taffrail, json!({})).await;
    let cluster = &life.cluster;
    let pods = cluster.pod_uids().await;
    life.during("volumes_grow", async {
        cluster.change(json!({"storage": {"size": "2Gi"}})).await;
        wait::until("every volume has 2Gi", PATIENCE, async || {
            let all = claims(cluster).await;
            (all.len() == 3 && all.iter().all(|claim| capacity(claim) == Some("2Gi"))).then_some(())
        })
        .await;
        cluster.settles().await;
    })
    .await;
    assert_eq!(cluster.pod_uids().await, pods);
    let before = cluster.names().await;
    life.change("storage_class_changed", json!({"storage": {"className": "other"}}))
        .await;
    assert!(cluster.names().await.iter().all(|name| !before.contains(name)));
    let all = claims(cluster).await;
    let class = |claim: &PersistentVolumeClaim| claim.spec.as_ref().and_then(|spec| spec.storage_class_name.clone());
    assert!(all.len() == 3 && all.iter().all(|claim| class(claim).as_deref() == Some("other")));
    let Life { cluster, workload } = life;
    drop(workload.stop().await.expect("the cluster answers").expect_clean());
    cluster_is_deleted(&cluster).await;
    assert_eq!(claims(&cluster).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn volumes_are_retained_or_deleted_as_declared() {
    let kubernetes = Kubernetes::from_env().await;
    kubernetes.with_operator().await.expect("the operator rolls out");
    let retention = json!({"whenScaled": "Retain", "whenDeleted": "Delete"});
    let spec = json!({"storage": {"retention": retention}});
    let cluster = Cluster::declare(kubernetes.namespace().await, Image::Taffrail, spec).await;
    cluster.settles().await;
    cluster.change(json!({"replicas": 1})).await;
    cluster.settles().await;
    let kept = claims(&cluster)
        .await
        .into_iter()
        .filter(|claim| claim.annotations().contains_key(KEPT));
    let kept: Vec<String> = kept.map(|claim| claim.name_any()).collect();
    assert_eq!(kept.len(), 2, "{kept:?}");
    cluster_is_deleted(&cluster).await;
    // What was kept for people stays; what belonged to a member goes with it.
    wait::until("the last member's volume is gone", PATIENCE, async || {
        let left: Vec<String> = claims(&cluster).await.iter().map(|claim| claim.name_any()).collect();
        (left == kept).then_some(())
    })
    .await;
}
