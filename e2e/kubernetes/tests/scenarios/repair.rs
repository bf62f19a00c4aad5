//! Members that crash, and members whose data are gone.

use std::os::unix::fs::FileExt;
use std::path::Path;

use serde_json::json;
use taffrail_e2e_kubernetes::{Cluster, Image, Life, PATIENCE, wait};

fn restarts(pod: &k8s_openapi::api::core::v1::Pod) -> i32 {
    let statuses = pod
        .status
        .as_ref()
        .and_then(|status| status.container_statuses.as_ref());
    statuses.into_iter().flatten().map(|status| status.restart_count).sum()
}

async fn crashes(cluster: &Cluster, member: &str) {
    let before = cluster.pod(member).await.map_or(0, |pod| restarts(&pod));
    cluster.signal(member, "KILL").await.unwrap();
    wait::until("its container starts again", PATIENCE, async || {
        (restarts(&cluster.pod(member).await?) > before).then_some(())
    })
    .await;
    cluster.settles().await;
}

/// Returns once a new one stands in its place.
async fn is_replaced(cluster: &Cluster, member: &str) {
    wait::until(&format!("{member} is replaced"), PATIENCE, async || {
        let names = cluster.names().await;
        (!names.is_empty() && !names.iter().any(|name| name == member)).then_some(())
    })
    .await;
    cluster.settles().await;
}

async fn volume_is_lost(cluster: &Cluster, member: &str) {
    let others = |pods: Vec<(String, String)>| pods.into_iter().filter(|(name, _)| name != member).collect::<Vec<_>>();
    let before = others(cluster.pod_uids().await);
    let claim = format!("pvc/data-{member}");
    let pod = format!("pod/{member}");
    let words = ["delete", &claim, &pod, "--wait=false"];
    cluster.namespace.kubectl(&words).await.unwrap();
    is_replaced(cluster, member).await;
    let after = cluster.pod_uids().await;
    assert!(
        before.iter().all(|pod| after.contains(pod)),
        "others were disturbed: {before:?}, {after:?}"
    );
}

async fn members_are_mended(image: Image) {
    let life = Life::begin(image, json!({})).await;
    let cluster = &life.cluster;
    let names = cluster.names().await;
    let victim = cluster.follower().await;
    life.during("crash_of_a_follower", crashes(cluster, &victim)).await;
    let leader = cluster.leader().await;
    life.during("crash_of_the_leader", crashes(cluster, &leader)).await;
    let leader = cluster.leader().await;
    life.during(
        "leader_pod_deleted",
        cluster.loses_pod_of(&leader, &["--force", "--grace-period=0"]),
    )
    .await;
    assert_eq!(cluster.names().await, names);
    let victim = cluster.follower().await;
    life.during("volume_of_a_follower_lost", volume_is_lost(cluster, &victim))
        .await;
    let leader = cluster.leader().await;
    life.during("volume_of_the_leader_lost", volume_is_lost(cluster, &leader))
        .await;
    life.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crashed_member_comes_back_and_a_lost_volume_is_replaced() {
    members_are_mended(Image::Taffrail).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_etcd_comes_back_and_a_lost_volume_is_replaced() {
    members_are_mended(Image::Stock).await;
}

/// Bytes that nobody wrote there, into every file that holds any.
fn spoil(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            spoil(&path);
        } else if let Ok(file) = std::fs::OpenOptions::new().write(true).open(&path) {
            let end = file.metadata().map_or(0, |meta| meta.len()).min(16_384);
            let garbage: Vec<u8> = (0..end).map(|at| (at * 131 + 89) as u8).collect();
            file.write_all_at(&garbage, 0).expect("the file can be written");
        }
    }
}

async fn a_spoiled_member_is_replaced(image: Image) {
    let life = Life::begin(image, json!({})).await;
    let cluster = &life.cluster;
    let victim = cluster.follower().await;
    life.during("data_of_a_follower_spoiled", async {
        let folder = cluster.folder(&victim).await;
        cluster.signal(&victim, "STOP").await.unwrap();
        spoil(&folder);
        cluster.signal(&victim, "KILL").await.unwrap();
        is_replaced(cluster, &victim).await;
    })
    .await;
    life.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_crashes_on_its_data_is_replaced() {
    a_spoiled_member_is_replaced(Image::Taffrail).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_etcd_that_crashes_on_its_data_is_replaced() {
    a_spoiled_member_is_replaced(Image::Stock).await;
}
