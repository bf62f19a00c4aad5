//! A node is gone for good, as far as anybody knows. Alone in its file: other tests have pods on that node.

use serde_json::json;
use taffrail_e2e_kubernetes::{Image, Life, PATIENCE, wait};

const LOST: &str = "node2";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_on_a_lost_node_is_replaced_elsewhere_and_never_comes_back() {
    let life = Life::begin(Image::Taffrail, json!({"repair": {"replaceAfterSeconds": 15}})).await;
    let cluster = &life.cluster;
    let kubernetes = cluster.namespace.kubernetes.clone();
    let Some(victim) = cluster.members_on(LOST).await.pop() else {
        return eprintln!("no member is on {LOST}: kubernetes up --nodes 3");
    };
    life.during("node_lost", async {
        kubernetes.stop(LOST, "KILL").await.unwrap();
        wait::until("another stands in its place", PATIENCE, async || {
            let names = cluster.names().await;
            (names.len() == 3 && !names.contains(&victim)).then_some(())
        })
        .await;
        cluster.settles().await;
    })
    .await;
    assert!(cluster.members_on(LOST).await.is_empty());
    life.during("node_back", async {
        kubernetes.start(LOST).await.unwrap();
        wait::until("the old pod is gone", PATIENCE, async || {
            cluster.pod(&victim).await.is_none().then_some(())
        })
        .await;
        cluster.settles().await;
    })
    .await;
    assert!(!cluster.names().await.contains(&victim));
    let list = cluster.etcdctl(&["member", "list"]).await.unwrap();
    assert!(
        list.lines().count() == 3 && !list.contains(&format!("{victim},")),
        "{list}"
    );
    life.end().await;
}
