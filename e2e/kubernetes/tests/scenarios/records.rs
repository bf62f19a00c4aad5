//! People and etcdctl take things away, and the operator looks on or puts them back.

use std::time::{Duration, Instant};

use serde_json::json;
use taffrail_e2e_kubernetes::{Cluster, Image, Life, PATIENCE, run, wait};

const STATUS_TELLS_WITHIN: Duration = Duration::from_secs(10);
/// A member that is asked and says nothing is waited for first.
const STATUS_TELLS_OF_SILENCE_WITHIN: Duration = Duration::from_secs(20);

async fn record_is_deleted(cluster: &Cluster, victim: &str) {
    let before = cluster.status().await.members;
    let id = |members: &[taffrail_crds::MemberSummary]| {
        members
            .iter()
            .find(|one| one.name == victim)
            .and_then(|one| one.id.clone())
    };
    let uid = cluster.members().await.iter().find_map(|one| one.metadata.uid.clone());
    cluster
        .namespace
        .kubectl(&["delete", "etcdmember", victim, "--wait=false"])
        .await
        .unwrap();
    wait::until("its record is another", PATIENCE, async || {
        let members = cluster.members().await;
        let found = members
            .iter()
            .find(|one| one.metadata.name.as_deref() == Some(victim))?;
        let fresh = found.metadata.uid != uid && found.metadata.deletion_timestamp.is_none();
        fresh.then_some(())
    })
    .await;
    let after = cluster.settles().await.members;
    assert_eq!(id(&after), id(&before), "{victim} is the same member as before");
}

async fn etcdctl_removes(cluster: &Cluster, victim: &str) {
    let member = cluster.id_of(victim).await;
    // etcd refuses as long as it has not been in touch with everybody for a while.
    wait::until("etcd lets it go", PATIENCE, async || {
        cluster.etcdctl(&["member", "remove", &member]).await.ok()
    })
    .await;
    wait::until("it is replaced", PATIENCE, async || {
        let names = cluster.names().await;
        (!names.is_empty() && names.iter().all(|name| name != victim)).then_some(())
    })
    .await;
    cluster.settles().await;
}

async fn status_tells_of(cluster: &Cluster, victim: &str) {
    let start = Instant::now();
    cluster.signal(victim, "STOP").await.unwrap();
    cluster
        .reaches("status calls it unhealthy", |_, status| {
            status
                .members
                .iter()
                .any(|one| one.name == victim && !one.healthy && one.reason.is_some())
        })
        .await;
    let took = start.elapsed();
    cluster.signal(victim, "CONT").await.unwrap();
    cluster.settles().await;
    println!("STATUS_TELLS_OF_A_SILENT_MEMBER ms={}", took.as_millis());
    assert!(took < STATUS_TELLS_OF_SILENCE_WITHIN, "it took {took:?}");
}

async fn evict(cluster: &Cluster, pod: &str) -> Result<String, taffrail_e2e_kubernetes::Error> {
    let path = format!("/api/v1/namespaces/{}/pods/{pod}/eviction", cluster.namespace.name());
    let eviction = format!(r#"{{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {{"name": "{pod}"}}}}"#);
    run("kubectl", &["create", "--raw", &path, "-f", "-"], Some(&eviction)).await
}

/// As a drain of their nodes would take them: the second only once the first is back.
async fn drains_wait_for_the_budget(cluster: &Cluster) {
    let names = cluster.names().await;
    let uids = cluster.pod_uids().await;
    wait::until("one may go", PATIENCE, async || evict(cluster, &names[0]).await.ok()).await;
    let refused = evict(cluster, &names[1]).await.unwrap_err();
    assert!(refused.said.contains("disruption budget"), "{refused}");
    wait::until("the next may go", PATIENCE, async || {
        evict(cluster, &names[1]).await.ok()
    })
    .await;
    wait::until("both have other pods", PATIENCE, async || {
        let now = cluster.pod_uids().await;
        (now.iter().filter(|one| uids.contains(one)).count() == 1 && now.len() == 3).then_some(())
    })
    .await;
    cluster.settles().await;
}

async fn paused_means_hands_off(cluster: &Cluster, victim: &str) {
    cluster.change(json!({"paused": true, "replicas": 5})).await;
    cluster.condition("Paused", "True").await;
    cluster
        .namespace
        .kubectl(&["delete", "pod", victim, "--grace-period=1"])
        .await
        .unwrap();
    let start = Instant::now();
    cluster
        .reaches("status goes on telling the truth", |_, status| {
            status.members.iter().any(|one| one.name == victim && !one.healthy)
        })
        .await;
    println!("STATUS_TELLS_OF_A_KILLED_MEMBER ms={}", start.elapsed().as_millis());
    assert!(start.elapsed() < STATUS_TELLS_WITHIN, "it took {:?}", start.elapsed());
    wait::throughout("nothing is made", Duration::from_secs(10), async || {
        cluster.pod_uids().await.len() == 2
    })
    .await;
    cluster.change(json!({"paused": null, "replicas": 3})).await;
    cluster.settles().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_take_away_comes_back_and_a_pause_is_a_pause() {
    let life = Life::begin(Image::Taffrail, json!({})).await;
    let cluster = &life.cluster;
    let victim = cluster.follower().await;
    life.during("silent_member", status_tells_of(cluster, &victim)).await;
    life.during("record_deleted", record_is_deleted(cluster, &victim)).await;
    life.during("evictions", drains_wait_for_the_budget(cluster)).await;
    let victim = cluster.follower().await;
    life.during("removed_by_etcdctl", etcdctl_removes(cluster, &victim))
        .await;
    let victim = cluster.follower().await;
    life.during("paused", paused_means_hands_off(cluster, &victim)).await;
    life.end().await;
}
