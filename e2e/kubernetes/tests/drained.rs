//! Nodes are drained with kubectl, as for their maintenance. Alone in its file: other tests have pods on those nodes.

use serde_json::json;
use taffrail_e2e_kubernetes::{Cluster, Error, Image, Kubernetes, Life, PATIENCE, wait};

const NODES: [&str; 2] = ["node2", "node3"];

async fn drain(kubernetes: &Kubernetes, node: &str, patience: &str) -> Result<String, Error> {
    let timeout = format!("--timeout={patience}");
    let words = [
        "drain",
        node,
        "--ignore-daemonsets",
        "--delete-emptydir-data",
        "--force",
        &timeout,
    ];
    kubernetes.kubectl(&words).await
}

/// How many members are on each of them.
async fn taken(cluster: &Cluster) -> [usize; 2] {
    let [second, third] = NODES.map(|node| cluster.members_on(node));
    [second.await.len(), third.await.len()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_is_drained_at_a_time_and_members_come_back_with_their_data() {
    let life = Life::begin(Image::Taffrail, json!({})).await;
    let cluster = &life.cluster;
    let kubernetes = cluster.namespace.kubernetes.clone();
    if taken(cluster).await != [1, 1] {
        return eprintln!("members are not spread over three nodes: kubernetes up --nodes 3");
    }
    let names = cluster.names().await;
    life.during("drain", async {
        drain(&kubernetes, NODES[0], "120s").await.expect("one member may go");
        assert_eq!(taken(cluster).await, [0, 1]);
    })
    .await;
    let refused = drain(&kubernetes, NODES[1], "15s").await.unwrap_err();
    assert!(refused.said.contains("disruption budget"), "{refused}");
    assert_eq!(taken(cluster).await, [0, 1]);
    life.during("uncordon", async {
        for node in NODES {
            kubernetes.kubectl(&["uncordon", node]).await.expect("it is there");
        }
        wait::until("both nodes have their member", PATIENCE, async || {
            (taken(cluster).await == [1, 1]).then_some(())
        })
        .await;
        cluster.settles().await;
    })
    .await;
    assert_eq!(cluster.names().await, names, "nobody was replaced");
    life.end().await;
}
