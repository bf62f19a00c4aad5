//! Certificates change while clients work.

use serde_json::json;
use taffrail_e2e_kubernetes::{Cluster, Image, Life, PATIENCE, wait};
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_authority_of_clients_is_rotated_without_a_failed_request() {
    let life = Life::begin(Image::Taffrail, json!({})).await;
    let cluster = &life.cluster;
    let pods = cluster.pod_uids().await;
    let before = cluster.authorities("safe-client").await.expect("the Secret is there");
    life.during("client_authority_rotated", async {
        cluster.change(json!({"tls": {"client": {"caRotation": "1"}}})).await;
        cluster.rotated("safe-client", &before).await;
    })
    .await;
    cluster.etcdctl(&["get", "hello"]).await.unwrap();
    assert_eq!(cluster.pod_uids().await, pods);
    let verdict = life.verdict().await;
    assert_eq!((verdict.failed_requests, verdict.unreached), (0, 0), "{verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_authority_of_peers_is_rotated_by_the_same_members() {
    let life = Life::begin(Image::Taffrail, json!({})).await;
    let cluster = &life.cluster;
    let members = cluster.names().await;
    let before = cluster.authorities("safe-peer").await.expect("the Secret is there");
    life.during("peer_authority_rotated", async {
        cluster.change(json!({"tls": {"peer": {"caRotation": "1"}}})).await;
        cluster.rotated("safe-peer", &before).await;
    })
    .await;
    assert_eq!(cluster.names().await, members);
    life.end().await;
}

async fn answers_plain_http(cluster: &Cluster) -> bool {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = format!("safe-client.{}.svc.cluster.local:2379", cluster.namespace.name());
    let asked = async {
        let mut stream = TcpStream::connect(&address).await?;
        stream.write_all(b"GET /version HTTP/1.0\r\n\r\n").await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    asked
        .await
        .is_ok_and(|answer| answer.windows(6).any(|word| word == b"200 OK"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_move_from_plain_to_tls_on_a_living_cluster() {
    let life = Life::begin(Image::Taffrail, json!({"tls": {"client": {"mode": "Disabled"}}})).await;
    let cluster = &life.cluster;
    assert!(answers_plain_http(cluster).await);
    let both = json!({"tls": {"client": {"mode": "Operator", "acceptPlaintext": true}}});
    life.change("clients_plain_to_both", both).await;
    wait::until("plain clients are still served", PATIENCE, async || {
        answers_plain_http(cluster).await.then_some(())
    })
    .await;
    cluster.etcdctl(&["get", "hello"]).await.unwrap();
    life.change(
        "clients_both_to_tls",
        json!({"tls": {"client": {"acceptPlaintext": null}}}),
    )
    .await;
    assert!(!answers_plain_http(cluster).await);
    cluster.etcdctl(&["get", "hello"]).await.unwrap();
    life.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_move_from_plain_to_tls_by_new_members() {
    let life = Life::begin(Image::Taffrail, json!({"tls": {"peer": {"mode": "Disabled"}}})).await;
    let before = life.cluster.names().await;
    life.change("peers_plain_to_tls", json!({"tls": {"peer": {"mode": "Operator"}}}))
        .await;
    let after = life.cluster.members().await;
    assert!(after.iter().all(|one| one.spec.peer_url.starts_with("https://")));
    assert!(life.cluster.names().await.iter().all(|name| !before.contains(name)));
    life.end().await;
}
