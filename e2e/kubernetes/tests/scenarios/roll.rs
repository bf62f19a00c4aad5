//! Changes that start members anew, one by one.

use serde_json::{Value, json};
use taffrail_e2e_kubernetes::{Cluster, Image, Life, wait};

/// Members in the order in which they got another pod.
async fn order_of_restarts(cluster: &Cluster, before: &[(String, String)]) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    wait::until(
        "every member has another pod",
        taffrail_e2e_kubernetes::PATIENCE,
        async || {
            let now = cluster.pod_uids().await;
            let stays = |one: &&(String, String)| now.contains(one) || order.contains(&one.0);
            let gone: Vec<String> = before
                .iter()
                .filter(|one| !stays(one))
                .map(|one| one.0.clone())
                .collect();
            order.extend(gone);
            (order.len() == before.len()).then_some(())
        },
    )
    .await;
    order
}

/// The leader's is the last, and status tells how far it got.
async fn rolls(life: &Life, operation: &str, spec: Value) {
    let cluster = &life.cluster;
    let (leader, before) = (cluster.leader().await, cluster.pod_uids().await);
    let order = life
        .during(operation, async {
            cluster.change(spec).await;
            let told = cluster.reaches("status tells of the roll", |_, status| status.upgrade.is_some());
            let (order, told) = tokio::join!(order_of_restarts(cluster, &before), told);
            assert!(told.upgrade.is_some_and(|upgrade| upgrade.progress.ends_with("/3")));
            let status = cluster.settles().await;
            assert_eq!(status.upgrade, None);
            order
        })
        .await;
    assert_eq!(order.last(), Some(&leader), "{order:?}");
}

/// Only one member is tried with it; it heals when the change is taken back.
async fn a_bad_option_halts(life: &Life) {
    let cluster = &life.cluster;
    let before = cluster.pod_uids().await;
    life.during("bad_option_and_back", async {
        cluster.change(json!({"options": {"max-txn-ops": "many"}})).await;
        let degraded = |kind: &str, status: &_| taffrail_e2e_kubernetes::cluster::is(status, kind, "True");
        let status = cluster
            .reaches("it halts", |_, status| {
                let crashed = status
                    .members
                    .iter()
                    .any(|one| one.reason.as_ref().is_some_and(|why| why.contains("restarted")));
                crashed && degraded("Degraded", status)
            })
            .await;
        assert!(status.upgrade.is_some_and(|upgrade| upgrade.blocked_by.is_some()));
        let after = cluster.pod_uids().await;
        assert_eq!(
            before.iter().filter(|one| after.contains(one)).count(),
            2,
            "{before:?} {after:?}"
        );
        cluster.change(json!({"options": {"max-txn-ops": null}})).await;
        cluster.settles().await;
    })
    .await;
}

async fn common(life: &Life) {
    rolls(life, "roll_options", json!({"options": {"heartbeat-interval": "120"}})).await;
    let resources = json!({"requests": {"cpu": "10m", "memory": "32Mi"}});
    rolls(life, "roll_resources", json!({"podTemplate": {"resources": resources}})).await;
    a_bad_option_halts(life).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn options_resources_image_and_version_change_member_by_member_leader_last() {
    let life = Life::begin(Image::Taffrail, json!({})).await;
    common(&life).await;
    // The same image by its whole name.
    let whole = format!("docker.io/{}", Image::Taffrail.name());
    rolls(&life, "roll_image", json!({"image": whole})).await;
    rolls(&life, "upgrade_3.6_to_3.7", json!({"version": "3.7.0"})).await;
    assert_eq!(life.cluster.status().await.version.as_deref(), Some("3.7.0"));
    rolls(&life, "downgrade_3.7_to_3.6", json!({"version": "3.6.14"})).await;
    assert_eq!(life.cluster.status().await.version.as_deref(), Some("3.6.14"));
    life.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_etcd_changes_member_by_member_leader_last() {
    let life = Life::begin(Image::Stock, json!({})).await;
    common(&life).await;
    let whole = format!("docker.io/library/{}", Image::Stock.name());
    rolls(&life, "roll_image", json!({"image": whole})).await;
    life.end().await;
}
