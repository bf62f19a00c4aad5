//! Objects that declare what cannot be.

use std::time::Duration;

use serde_json::{Value, json};
use taffrail_e2e::certificates::Authority;
use taffrail_e2e_kubernetes::{Cluster, Image, Kubernetes};

use crate::raised::Raised;

const TWO_DAYS: Duration = Duration::from_secs(2 * 24 * 60 * 60);

async fn declared(kubernetes: &Kubernetes, mut spec: Value) -> Cluster {
    spec["replicas"] = 1.into();
    Cluster::declare(kubernetes.namespace().await, Image::Taffrail, spec).await
}

pub async fn are_wrong(kubernetes: &Kubernetes, raised: &Raised) {
    let secrets = json!({"server": "given", "client": "given"});
    let given = declared(
        kubernetes,
        json!({"tls": {"client": {"mode": "Secrets", "secrets": secrets}}}),
    )
    .await;
    let missing = ["TaffrailCertificatesInvalid", "TaffrailClusterInvalid"];
    raised.by("Secrets with certificates are missing", &missing).await;
    give_short_lived(&given).await;
    raised
        .by("a certificate of two days", &["TaffrailCertificateExpiresSoon"])
        .await;

    let nowhere = json!({"podTemplate": {"resources": {"requests": {"cpu": "900"}}}});
    let unscheduled = declared(kubernetes, nowhere).await;
    raised
        .by("no node has room", &["TaffrailClusterStuck", "TaffrailClusterDegraded"])
        .await;

    let locked = declared(
        kubernetes,
        json!({"auth": {"enabled": true, "rootSecretRef": {"name": "nowhere"}}}),
    )
    .await;
    raised.by("root's Secret is missing", &["TaffrailAuthNotReady"]).await;

    let odd = declared(kubernetes, json!({"defragmentation": {"schedule": "61 * * * *"}})).await;
    raised.by("minute 61", &["TaffrailDefragmentationNotScheduled"]).await;
    odd.settles().await;
    raised.by("nobody scrapes it", &["TaffrailMembersNotScraped"]).await;
    tokio::select! {
        () = grows_and_grows(&odd) => {}
        () = raised.by("a volume grows", &["TaffrailStorageResizeStuck"]) => {}
    }
    odd.change(json!({"paused": true})).await;
    raised.by("it is paused", &["TaffrailClusterPaused"]).await;
    drop((unscheduled, locked));
    is_unreadable(kubernetes, raised).await;
}

/// What a newer operator may have left: this one's own definitions would refuse it.
async fn is_unreadable(kubernetes: &Kubernetes, raised: &Raised) {
    let schema = "/spec/versions/0/schema/openAPIV3Schema";
    let (spec, rules) = (
        format!("{schema}/properties/spec"),
        format!("{schema}/x-kubernetes-validations"),
    );
    let anything = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let patch =
        json!([{"op": "remove", "path": rules}, {"op": "replace", "path": spec, "value": anything}]).to_string();
    let definition = "etcddefragmentations.etcd.taffrail.dev";
    let words = ["patch", "crd", definition, "--type=json", "-p", &patch];
    kubernetes.kubectl(&words).await.expect("patched");
    let namespace = kubernetes.namespace().await;
    let odd = "{apiVersion: etcd.taffrail.dev/v1alpha1, kind: EtcdDefragmentation, metadata: {name: odd}, \
               spec: {clusterRef: 7}}";
    namespace.apply(odd).await.expect("anything is valid");
    raised
        .by("an object of another version", &["TaffrailObjectUnreadable"])
        .await;
    drop(namespace.kubectl(&["delete", "etcddefragmentation", "odd"]).await);
    let kinds = concat!(env!("CARGO_MANIFEST_DIR"), "/../../crds");
    let again = ["apply", "--server-side", "--force-conflicts", "-f", kinds];
    kubernetes.kubectl(&again).await.expect("they are valid");
}

/// Each time takes less than a scrape.
async fn grows_and_grows(cluster: &Cluster) {
    for gibibytes in 2.. {
        cluster
            .change(json!({"storage": {"size": format!("{gibibytes}Gi")}}))
            .await;
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
}

async fn give_short_lived(cluster: &Cluster) {
    let authority = Authority::new("given");
    let name = format!("*.safe-peers.{}.svc.cluster.local", cluster.namespace.name());
    let shown = authority.issue_for(TWO_DAYS, "etcd", &[&name, "safe-client"]);
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "given"},
        "stringData": {"ca.crt": authority.pem(), "tls.crt": shown.cert, "tls.key": shown.key}});
    cluster.namespace.apply(&secret.to_string()).await.expect("it is valid");
}
