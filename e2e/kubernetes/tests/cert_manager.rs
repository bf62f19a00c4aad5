//! The controllers of cert-manager itself make the certificates. Alone in its file: it installs their kinds.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use taffrail_e2e_kubernetes::{Cluster, Image, Kubernetes, Life, Namespace, PATIENCE, wait};
use tokio::process::{Child, Command};

fn tool(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/tools/bin")
        .join(name)
}

/// Ends when it goes.
async fn installed(kubernetes: &Kubernetes) -> Child {
    let kinds = tool("cert-manager-kinds").display().to_string();
    let words = ["apply", "--server-side", "-f", &kinds];
    kubernetes
        .kubectl(&words)
        .await
        .expect("e2e/tools/build has fetched its kinds");
    let words = ["wait", "--for=condition=established", "--timeout=60s", "-f", &kinds];
    kubernetes
        .kubectl(&words)
        .await
        .expect("the API server knows its kinds");
    let mut program = Command::new(tool("cert-manager"));
    program.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    program.spawn().expect("e2e/tools/build has built it")
}

/// An authority of its own, and the issuer that signs with it.
fn issuer(name: &str) -> String {
    format!(
        r#"
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {{name: {name}-ca}}
spec:
  isCA: true
  commonName: {name}-ca
  secretName: {name}-ca
  privateKey: {{algorithm: ECDSA, size: 256}}
  issuerRef: {{name: self-signed}}
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {{name: {name}}}
spec: {{ca: {{secretName: {name}-ca}}}}
---
"#
    )
}

async fn issuers_are_made(namespace: &Namespace) {
    let first = "apiVersion: cert-manager.io/v1\nkind: Issuer\nmetadata: {name: self-signed}\nspec: {selfSigned: {}}\n";
    let all = format!("{}{}{first}", issuer("clients"), issuer("peers"));
    namespace.apply(&all).await.expect("cert-manager's kinds are known");
}

fn by(issuer: &str) -> Value {
    json!({"mode": "CertManager", "certManager": {"issuerRef": {"name": issuer}}})
}

/// What members serve and what applications present is made anew, as whenever a certificate nears its end.
async fn certificates_are_renewed(cluster: &Cluster) {
    for (issued, used) in [
        ("safe-server-issued", "safe-server"),
        ("safe-client-issued", "safe-client"),
    ] {
        let before = cluster.field(used, "tls.crt").await.expect("it is there");
        cluster
            .namespace
            .kubectl(&["delete", "secret", issued])
            .await
            .expect("it is there");
        wait::until("another is in use", PATIENCE, async || {
            let [issued, used] = [issued, used].map(|name| cluster.field(name, "tls.crt"));
            let (issued, used) = (issued.await?, used.await?);
            (issued != before && issued == used).then_some(())
        })
        .await;
    }
    cluster.settles().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_wait_for_an_issuer_and_serve_what_cert_manager_renews() {
    let kubernetes = Kubernetes::from_env().await;
    let _program = installed(&kubernetes).await;
    kubernetes.with_operator().await.expect("the operator rolls out");
    let namespace = kubernetes.namespace().await;
    let spec = json!({"tls": {"client": by("clients"), "peer": by("peers")}});
    let cluster = Cluster::declare(namespace, Image::Taffrail, spec).await;
    let ready = cluster.condition("CertificatesValid", "False").await;
    assert!(
        ready.message.contains("kubectl describe certificate"),
        "{}",
        ready.message
    );
    issuers_are_made(&cluster.namespace).await;
    cluster.settles().await;
    let life = Life::of(cluster).await;
    let cluster = &life.cluster;
    let authority = cluster.authorities("safe-client").await;
    assert_eq!(
        authority,
        cluster.field("clients-ca", "tls.crt").await,
        "the issuer signed"
    );
    cluster
        .etcdctl(&["get", "hello"])
        .await
        .expect("applications are let in");
    let pods = cluster.pod_uids().await;
    life.during("renewed_by_cert_manager", certificates_are_renewed(cluster))
        .await;
    assert_eq!(cluster.pod_uids().await, pods, "nobody was started anew");
    let verdict = life.verdict().await;
    assert_eq!((verdict.failed_requests, verdict.unreached), (0, 0), "{verdict}");
}
