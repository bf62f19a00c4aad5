//! Users and roles of a cluster with authentication, from their making to their end, as applications meet them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use taffrail_crds::{EtcdRole, EtcdUser};
use taffrail_e2e_kubernetes::{Cluster, Image, Kubernetes, PATIENCE, wait};

/// What people are told to apply, applied word for word but for the name of the cluster.
const PAGE: &str = include_str!("../../../../docs/operations/users.md");

/// The objects of the page in their order: Secret and EtcdCluster, then EtcdRole, Secret and EtcdUser of an application
/// with a password, then the EtcdUser of one with a certificate.
fn objects_of_the_page() -> Vec<String> {
    let blocks = PAGE
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    blocks
        .flat_map(|block| block.split("---\n"))
        .map(|object| object.replace("demo", "safe"))
        .collect()
}

async fn secret(cluster: &Cluster, name: &str, password: &str) {
    let secret =
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData: {{password: {password}}}\n");
    cluster.namespace.apply(&secret).await.unwrap();
}

/// etcdctl in a pod, with the certificate of applications, as this user.
async fn asked(cluster: &Cluster, user: &str, words: &[&str]) -> bool {
    let mut all = vec!["--user", user];
    all.extend(words);
    cluster.etcdctl(&all).await.is_ok()
}

async fn until(cluster: &Cluster, what: &str, user: &str, words: &[&str], taken: bool) {
    wait::until(what, PATIENCE, async || {
        (asked(cluster, user, words).await == taken).then_some(())
    })
    .await;
}

/// Until the condition Ready of the user has this reason.
async fn user_is(cluster: &Cluster, reason: &str) -> Condition {
    let api = cluster.namespace.api::<EtcdUser>();
    wait::until(&format!("the user is {reason}"), PATIENCE, async || {
        let conditions = api.get("web").await.ok()?.status?.conditions;
        conditions
            .into_iter()
            .find(|one| one.type_ == "Ready" && one.reason == reason)
    })
    .await
}

async fn change_role(cluster: &Cluster, permissions: Value) {
    let patch = Patch::Merge(json!({"spec": {"permissions": permissions}}));
    let api = cluster.namespace.api::<EtcdRole>();
    api.patch("app", &PatchParams::default(), &patch).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_may_what_their_roles_say_until_they_go() {
    let kubernetes = Kubernetes::from_env().await;
    kubernetes.with_operator().await.expect("the operator rolls out");
    let namespace = kubernetes.namespace().await;
    let spec = json!({"replicas": 1, "auth": {"enabled": true, "rootSecretRef": {"name": "root"}}});
    let cluster = Cluster::declare(namespace, Image::Taffrail, spec).await;
    secret(&cluster, "root", "one").await;
    let page: [String; 6] = objects_of_the_page().try_into().expect("six objects");
    let [_, _, role, password, user, with_certificate] = page;
    cluster.namespace.apply(&user).await.unwrap();
    cluster.settles().await;
    cluster.condition("AuthReady", "True").await;

    user_is(&cluster, "SecretMissing").await;
    cluster.namespace.apply(&password).await.unwrap();
    user_is(&cluster, "RoleMissing").await;
    cluster.namespace.apply(&role).await.unwrap();
    user_is(&cluster, "Kept").await;
    cluster.namespace.apply(&with_certificate).await.unwrap();
    assert!(asked(&cluster, "web:a-long-one", &["put", "/app/k", "v"]).await);
    assert!(asked(&cluster, "web:a-long-one", &["get", "/shared/settings"]).await);
    assert!(!asked(&cluster, "web:a-long-one", &["put", "/shared/settings", "v"]).await);
    assert!(!asked(&cluster, "web:a-long-one", &["get", "/other"]).await);
    wait::until("the certificate is let in", PATIENCE, async || {
        cluster.etcdctl(&["get", "/app/k"]).await.ok()
    })
    .await;
    assert!(cluster.etcdctl(&["get", "/other"]).await.is_err());

    change_role(&cluster, json!([{"type": "Read", "key": "/app/", "prefix": true}])).await;
    until(
        &cluster,
        "it may write no more",
        "web:a-long-one",
        &["put", "/app/k", "v"],
        false,
    )
    .await;
    assert!(asked(&cluster, "web:a-long-one", &["get", "/app/k"]).await);

    secret(&cluster, "web", "second").await;
    until(
        &cluster,
        "the second password is taken",
        "web:second",
        &["get", "/app/k"],
        true,
    )
    .await;
    assert!(!asked(&cluster, "web:a-long-one", &["get", "/app/k"]).await);

    // Somebody takes the role away by hand; it is put back when the user is looked at again.
    assert!(asked(&cluster, "root:one", &["user", "revoke-role", "web", "app"]).await);
    assert!(!asked(&cluster, "web:second", &["get", "/app/k"]).await);
    let words = ["annotate", "etcduser", "web", "looked-at=now"];
    cluster.namespace.kubectl(&words).await.unwrap();
    until(
        &cluster,
        "it has its role again",
        "web:second",
        &["get", "/app/k"],
        true,
    )
    .await;

    cluster.namespace.kubectl(&["delete", "etcduser", "web"]).await.unwrap();
    until(
        &cluster,
        "it is let in no more",
        "web:second",
        &["get", "/app/k"],
        false,
    )
    .await;
    wait::until("the user has gone from etcd", PATIENCE, async || {
        let users = cluster.etcdctl(&["--user", "root:one", "user", "list"]).await.ok()?;
        (!users.contains("web")).then_some(())
    })
    .await;
    let kept = cluster.status().await.access.unwrap_or_default();
    assert_eq!((kept.users.len(), kept.roles.len()), (1, 1));
}
