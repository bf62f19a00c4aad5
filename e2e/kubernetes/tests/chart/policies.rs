//! With the NetworkPolicies of both charts in force: what has to get through does, and nobody else.

use std::path::Path;

use serde_json::json;
use taffrail_e2e_kubernetes::{Cluster, Error, Guard, Namespace, PATIENCE, wait};

use crate::world::World;

const PROBE: &str = concat!(
    r#"
apiVersion: v1
kind: Pod
metadata: {name: probe}
spec:
  terminationGracePeriodSeconds: 0
  securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: client
      image: taffrail/client:"#,
    env!("CARGO_PKG_VERSION"),
    r#"
      command: [sleep, "3600"]
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"#
);
const BACKUP: &str = "
apiVersion: etcd.taffrail.dev/v1alpha1
kind: EtcdBackup
metadata: {name: guarded}
spec: {clusterRef: {name: demo}, verify: true, target: {volume: {claimName: store}}}
";

pub async fn let_through_what_has_to(world: &World, chart: &Path, cluster: &Cluster) {
    world
        .operator("upgrade", chart, &["networkPolicy.enabled=true", "authorityOverlap=6s"])
        .await;
    let guard = Guard::begin(&world.kubernetes).await;
    strangers_are_kept_out(world, cluster).await;
    cluster.loses_pod_of(&cluster.follower().await, &[]).await;
    the_authority_of_peers_is_rotated(cluster).await;
    cluster.namespace.apply(BACKUP).await.expect("it is valid");
    let words = ["wait", "--for=condition=Verified", "etcdb/guarded", "--timeout=180s"];
    cluster.namespace.kubectl(&words).await.expect("it is verified");
    guard.end().await;
    world.operator("upgrade", chart, &[]).await;
}

async fn reaches(from: &Namespace, cluster: &Cluster, port: &str) -> Result<String, Error> {
    let host = format!("demo-client.{}.svc.cluster.local", cluster.namespace.name());
    from.exec("probe", &["nc", "-w", "3", &host, port]).await
}

async fn strangers_are_kept_out(world: &World, cluster: &Cluster) {
    let elsewhere = world.kubernetes.namespace().await;
    for namespace in [&elsewhere, &cluster.namespace] {
        namespace.apply(PROBE).await.expect("it is valid");
        let words = ["wait", "--for=condition=Ready", "pod/probe", "--timeout=60s"];
        namespace.kubectl(&words).await.expect("it runs");
    }
    wait::until("a neighbour gets through", PATIENCE, async || {
        reaches(&cluster.namespace, cluster, "2379").await.ok()
    })
    .await;
    reaches(&elsewhere, cluster, "2379")
        .await
        .expect_err("a stranger got through");
}

async fn the_authority_of_peers_is_rotated(cluster: &Cluster) {
    let before = cluster.authorities("demo-peer").await.expect("the Secret is there");
    cluster.change(json!({"tls": {"peer": {"caRotation": "1"}}})).await;
    cluster.rotated("demo-peer", &before).await;
}
