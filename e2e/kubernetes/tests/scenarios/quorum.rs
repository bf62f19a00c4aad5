//! Two of three members lose their data.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Namespace as Object, PersistentVolumeClaim};
use kube::{Api, ResourceExt};
use serde_json::json;
use taffrail_crds::{KEPT, RecoveryPhase};
use taffrail_e2e_kubernetes::{Cluster, Image, Kubernetes, Life, PATIENCE, wait};

const NAMESPACE_GOES_WITHIN: Duration = Duration::from_secs(60);

async fn cluster(recovery: &str) -> Cluster {
    let kubernetes = Kubernetes::from_env().await;
    kubernetes.with_operator().await.expect("the operator rolls out");
    let spec = json!({"quorumRecovery": recovery});
    let cluster = Cluster::declare(kubernetes.namespace().await, Image::Taffrail, spec).await;
    cluster.settles().await;
    cluster
}

/// All but the survivor lose their volumes.
async fn lose_quorum(cluster: &Cluster, survivor: &str) {
    let names = cluster.names().await;
    let gone = names.iter().filter(|name| *name != survivor);
    let objects: Vec<String> = gone
        .flat_map(|name| [format!("pvc/data-{name}"), format!("pod/{name}")])
        .collect();
    let mut words = vec!["delete", "--wait=false"];
    words.extend(objects.iter().map(String::as_str));
    cluster.namespace.kubectl(&words).await.unwrap();
    let lost = cluster.condition("QuorumLost", "True").await;
    for fact in [survivor, "data lost", "data there", "last entry", "recover-from"] {
        assert!(lost.message.contains(fact), "{fact}: {}", lost.message);
    }
}

async fn accept_the_loss(cluster: &Cluster, survivor: &str) {
    let annotations = json!({"etcd.taffrail.dev/recover-from": survivor, "etcd.taffrail.dev/accept-data-loss": "safe"});
    cluster.patch(json!({"metadata": {"annotations": annotations}})).await;
}

async fn write_everywhere(cluster: &Cluster) {
    for number in 0..10 {
        cluster
            .etcdctl(&["put", &format!("kept/{number}"), "value"])
            .await
            .unwrap();
    }
    cluster
        .reaches("every member has every entry", |_, status| {
            let mut indexes = status.members.iter().map(|one| one.raft_index);
            let first = indexes.next().flatten();
            first.is_some() && indexes.all(|index| index == first)
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_chooses_the_survivor_and_its_writes_stay() {
    let cluster = cluster("Manual").await;
    write_everywhere(&cluster).await;
    let survivor = cluster.follower().await;
    lose_quorum(&cluster, &survivor).await;
    accept_the_loss(&cluster, &survivor).await;
    let status = cluster
        .reaches("the survivor serves", |_, status| {
            status
                .recovery
                .as_ref()
                .is_some_and(|recovery| recovery.phase == RecoveryPhase::Done)
        })
        .await;
    let kept = status.recovery.and_then(|recovery| recovery.kept_aside);
    let kept = kept.expect("status names the copy");
    assert!(kept.starts_with(&format!("kept-{survivor}-")), "{kept}");
    let claims: Api<PersistentVolumeClaim> = cluster.namespace.api();
    let claim = claims.get(&kept).await.expect("the copy is there");
    assert_eq!(claim.annotations()[KEPT], "BeforeQuorumRecovery");
    cluster.settles().await;
    assert!(
        cluster
            .get()
            .await
            .annotations()
            .keys()
            .all(|key| !key.starts_with("etcd.taffrail.dev/"))
    );
    let found = cluster
        .etcdctl(&["get", "kept/", "--prefix", "--keys-only"])
        .await
        .unwrap();
    assert_eq!(found.split_whitespace().count(), 10, "{found}");
    let life = Life::of(cluster).await;
    life.during("after_quorum_recovery", life.workload.goes_on(100, PATIENCE))
        .await;
    life.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_recovered_where_recovery_is_disabled_and_its_namespace_can_go() {
    let cluster = cluster("Disabled").await;
    let survivor = cluster.follower().await;
    lose_quorum(&cluster, &survivor).await;
    accept_the_loss(&cluster, &survivor).await;
    let names = cluster.names().await;
    wait::throughout("nobody does anything", Duration::from_secs(12), async || {
        cluster.status().await.recovery.is_none() && cluster.names().await == names
    })
    .await;
    namespace_goes(&cluster).await;
}

async fn namespace_goes(cluster: &Cluster) {
    let start = Instant::now();
    let name = cluster.namespace.name().to_owned();
    let kubernetes = &cluster.namespace.kubernetes;
    kubernetes
        .kubectl(&["delete", "namespace", &name, "--wait=false"])
        .await
        .unwrap();
    let namespaces: Api<Object> = Api::all(kubernetes.client.clone());
    wait::until("the namespace is gone", PATIENCE, async || {
        namespaces.get_opt(&name).await.ok()?.is_none().then_some(())
    })
    .await;
    assert!(start.elapsed() < NAMESPACE_GOES_WITHIN, "it took {:?}", start.elapsed());
}
