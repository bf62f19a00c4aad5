//! Authentication, on and off and with another password, while a client with a user of its own works.

use serde_json::json;
use taffrail_e2e_kubernetes::{Cluster, Image, Life, PATIENCE, wait};

async fn root_password(cluster: &Cluster, password: &str) {
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: root}}\nstringData: {{username: root, password: {password}}}\n"
    );
    cluster.namespace.apply(&secret).await.unwrap();
}

async fn root_enters_with(cluster: &Cluster, password: &str) -> bool {
    cluster
        .etcdctl(&["--user", &format!("root:{password}"), "user", "list"])
        .await
        .is_ok()
}

async fn enters_in_time(cluster: &Cluster, password: &str) {
    wait::until(&format!("root enters with {password}"), PATIENCE, async || {
        root_enters_with(cluster, password).await.then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn authentication_is_switched_on_and_off_and_passwords_change() {
    let life = Life::begin(Image::Taffrail, json!({})).await;
    let cluster = &life.cluster;
    // The name in the certificate of applications.
    cluster
        .etcdctl(&["user", "add", "safe-client", "--no-password"])
        .await
        .unwrap();
    cluster
        .etcdctl(&["user", "grant-role", "safe-client", "root"])
        .await
        .unwrap();
    root_password(cluster, "one").await;
    life.during("authentication_on", async {
        cluster
            .change(json!({"auth": {"enabled": true, "rootSecretRef": {"name": "root"}}}))
            .await;
        cluster
            .reaches("authentication is on", |_, status| status.auth_enabled)
            .await;
        cluster.condition("AuthReady", "True").await;
    })
    .await;
    assert!(root_enters_with(cluster, "one").await);
    assert!(!root_enters_with(cluster, "another").await);
    life.during("password_changed", async {
        root_password(cluster, "two").await;
        enters_in_time(cluster, "two").await;
    })
    .await;
    assert!(!root_enters_with(cluster, "one").await);
    life.during("authentication_off", async {
        cluster.change(json!({"auth": {"enabled": false}})).await;
        cluster
            .reaches("authentication is off", |_, status| !status.auth_enabled)
            .await;
        cluster.condition("AuthReady", "True").await;
    })
    .await;
    life.end().await;
}
