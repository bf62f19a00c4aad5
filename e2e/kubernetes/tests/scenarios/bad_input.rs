//! What was declared cannot be: a condition says why, and it heals once it can.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::{Value, json};
use taffrail_e2e::certificates::Authority;
use taffrail_e2e_kubernetes::{Cluster, Image, Kubernetes, Life};

async fn declared(spec: Value) -> Cluster {
    let kubernetes = Kubernetes::from_env().await;
    kubernetes.with_operator().await.expect("the operator rolls out");
    Cluster::declare(kubernetes.namespace().await, Image::Taffrail, spec).await
}

/// Whichever condition says it.
async fn says(cluster: &Cluster, kind: &str, words: &[&str]) -> Condition {
    let told = |one: &Condition| one.type_ == kind && words.iter().all(|word| one.message.contains(word));
    let status = cluster
        .reaches(&format!("{kind} tells of {words:?}"), |_, status| {
            status.conditions.iter().any(told)
        })
        .await;
    let condition = status
        .conditions
        .into_iter()
        .find(|one| told(one))
        .expect("it was there");
    assert!(!condition.reason.is_empty());
    condition
}

async fn an_image_that_is_nowhere() {
    let cluster = declared(json!({"image": "taffrail/nowhere:1", "replicas": 1})).await;
    assert_eq!(says(&cluster, "Degraded", &["safe-0", "Image"]).await.status, "True");
    cluster.change(json!({"image": Image::Taffrail.name()})).await;
    cluster.settles().await;
}

async fn more_than_any_node_has() {
    let resources = json!({"requests": {"cpu": "900"}});
    let cluster = declared(json!({"replicas": 1, "podTemplate": {"resources": resources}})).await;
    assert_eq!(
        says(&cluster, "Degraded", &["cannot be scheduled"]).await.status,
        "True"
    );
    cluster.change(json!({"podTemplate": {"resources": null}})).await;
    cluster.settles().await;
}

async fn a_quota_of_pods() {
    let kubernetes = Kubernetes::from_env().await;
    let namespace = kubernetes.namespace().await;
    let quota = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: few}\nspec: {hard: {pods: \"2\"}}\n";
    namespace.apply(quota).await.unwrap();
    let cluster = Cluster::declare(namespace, Image::Taffrail, json!({})).await;
    assert_eq!(says(&cluster, "Degraded", &["exceeded quota"]).await.status, "True");
    cluster
        .namespace
        .kubectl(&["delete", "resourcequota", "few"])
        .await
        .unwrap();
    cluster.settles().await;
}

async fn certificates_that_are_missing() {
    let secrets = json!({"server": "given-server", "client": "given-client"});
    let cluster = declared(json!({"replicas": 1, "tls": {"client": {"mode": "Secrets", "secrets": secrets}}})).await;
    assert_eq!(
        says(&cluster, "CertificatesValid", &["given-server"]).await.status,
        "False"
    );
    give(&cluster, "given-server", "nonsense", "nonsense", "nonsense").await;
    assert_eq!(
        says(&cluster, "CertificatesValid", &["given-server"]).await.status,
        "False"
    );
    let authority = Authority::new("given");
    let names = [
        format!("*.safe-peers.{}.svc.cluster.local", cluster.namespace.name()),
        "safe-client".into(),
    ];
    let server = authority.issue("etcd", &names.iter().map(String::as_str).collect::<Vec<_>>());
    let client = authority.issue("somebody", &[]);
    give(&cluster, "given-server", &authority.pem(), &server.cert, &server.key).await;
    give(&cluster, "given-client", &authority.pem(), &client.cert, &client.key).await;
    cluster.settles().await;
}

async fn give(cluster: &Cluster, name: &str, ca: &str, cert: &str, key: &str) {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
        "stringData": {"ca.crt": ca, "tls.crt": cert, "tls.key": key}});
    cluster.namespace.apply(&secret.to_string()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_is_told_heals_once_it_can_and_disturbs_nobody() {
    let life = Life::begin(Image::Taffrail, json!({})).await;
    let pods = life.cluster.pod_uids().await;
    life.during("others_have_trouble", async {
        tokio::join!(
            an_image_that_is_nowhere(),
            more_than_any_node_has(),
            a_quota_of_pods(),
            certificates_that_are_missing()
        )
    })
    .await;
    assert_eq!(life.cluster.pod_uids().await, pods);
    life.end().await;
}
