//! Nodes are drained with kubectl, as for their maintenance. Alone in its file: other tests have pods on those nodes.

use serde_json::json;
use taffrail_e2e_kubernetes::{Cluster, Error, Image, Kubernetes, Life, PATIENCE, wait};

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

async fn members_on(cluster: &Cluster, nodes: &[&str]) -> usize {
    let mut found = 0;
    for name in cluster.names().await {
        let node = cluster.node_of(&name).await;
        found += usize::from(node.is_some_and(|node| nodes.contains(&node.as_str())));
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_is_drained_at_a_time_and_members_come_back_with_their_data() {
    let life = Life::begin(Image::Taffrail, json!({})).await;
    let cluster = &life.cluster;
    let kubernetes = cluster.namespace.kubernetes.clone();
    if members_on(cluster, &["node2", "node3"]).await < 2 {
        return eprintln!("members are not spread over three nodes: kubernetes up --nodes 3");
    }
    let names = cluster.names().await;
    life.during("drain", async {
        drain(&kubernetes, "node2", "120s").await.expect("one member may go");
        assert_eq!(members_on(cluster, &["node2"]).await, 0);
    })
    .await;
    let refused = drain(&kubernetes, "node3", "15s").await.unwrap_err();
    assert!(refused.said.contains("disruption budget"), "{refused}");
    assert_eq!(members_on(cluster, &["node3"]).await, 1);
    life.during("uncordon", async {
        for node in ["node2", "node3"] {
            kubernetes.kubectl(&["uncordon", node]).await.expect("it is there");
        }
        wait::until("both nodes have their member", PATIENCE, async || {
            (members_on(cluster, &["node2", "node3"]).await == 2).then_some(())
        })
        .await;
        cluster.settles().await;
    })
    .await;
    assert_eq!(cluster.names().await, names, "nobody was replaced");
    life.end().await;
}
