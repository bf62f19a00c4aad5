//! `kubectl taffrail` on a real Kubernetes, as a person uses it: look, back up, restore, go back, move leadership,
//! defragment, pack a report.

use std::path::PathBuf;

use serde_json::{Value, json};
use taffrail_e2e_kubernetes::{Cluster, Image, Kubernetes, Namespace, PATIENCE, wait};
use tokio::process::Command;

struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Of the same build as this test: e2e/operator builds it.
fn program() -> PathBuf {
    taffrail_e2e::program::profile_dir().join("kubectl-taffrail")
}

async fn plugin(namespace: &Namespace, words: &[&str]) -> Ended {
    let started = std::time::Instant::now();
    let output = Command::new(program())
        .args(["-n", namespace.name()])
        .args(words)
        .output()
        .await;
    let output = output.expect("kubectl-taffrail is built: cargo build -p taffrail-plugin");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let ended = Ended {
        code: output.status.code(),
        out: text(output.stdout),
        err: text(output.stderr),
    };
    println!(
        "{words:?}: {:?} after {:.1?}\n{}{}",
        ended.code,
        started.elapsed(),
        ended.out,
        ended.err
    );
    ended
}

async fn done(namespace: &Namespace, words: &[&str]) -> String {
    let ended = plugin(namespace, words).await;
    assert_eq!(ended.code, Some(0), "{words:?}: {}{}", ended.out, ended.err);
    ended.out
}

/// A snapshot and the data of a restore fit in.
const SHELF: &str = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: shelf}\n\
                     spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n";

async fn value(cluster: &Cluster, key: &str) -> String {
    wait::until("etcdctl is answered", PATIENCE, async || {
        cluster.etcdctl(&["get", key, "--print-value-only"]).await.ok()
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_looks_backs_up_restores_and_goes_back() {
    let kubernetes = Kubernetes::from_env().await;
    kubernetes.with_operator().await.unwrap();
    let namespace = kubernetes.namespace().await;
    namespace.apply(SHELF).await.unwrap();
    let cluster = Cluster::declare(namespace, Image::Taffrail, json!({})).await;
    cluster.settles().await;
    let namespace = &cluster.namespace;
    cluster.etcdctl(&["put", "kept", "one"]).await.unwrap();

    let text = done(namespace, &["status", "safe", "--live"]).await;
    assert!(text.contains("3/3 ready") && text.contains("REVISION"), "{text}");
    let live: Value =
        serde_json::from_str(&done(namespace, &["status", "safe", "--live", "-o", "json"]).await).unwrap();
    for member in live["members"].as_array().unwrap() {
        assert!(
            member["live"]["revision"].as_i64() > Some(1) && member["live"]["unreached"].is_null(),
            "{member}"
        );
    }
    let lost = plugin(namespace, &["status", "sfe"]).await;
    assert!(
        lost.code == Some(3) && lost.err.contains("did you mean: safe"),
        "{}",
        lost.err
    );

    let logs = done(namespace, &["logs", "safe", "--tail", "3"]).await;
    for member in cluster.names().await {
        assert!(
            logs.lines().any(|line| line.starts_with(&format!("{member}  "))),
            "{logs}"
        );
    }

    let follower = cluster.follower().await;
    done(namespace, &["move-leader", "safe", "--to", &follower]).await;
    cluster
        .reaches("the member that was named leads", |_, status| {
            status.leader.as_ref() == Some(&follower)
        })
        .await;

    let backup = [
        "backup",
        "safe",
        "--name",
        "first",
        "--volume",
        "shelf",
        "--verify",
        "--wait",
        "--timeout",
        "5m",
    ];
    let text = done(namespace, &backup).await;
    assert!(text.contains("Succeeded") && text.contains("verified"), "{text}");
    cluster.etcdctl(&["put", "kept", "two"]).await.unwrap();

    let restore = [
        "restore",
        "again",
        "--from-backup",
        "first",
        "--like",
        "safe",
        "--replicas",
        "1",
    ];
    done(namespace, &[&restore[..], &["--wait", "--timeout", "5m"]].concat()).await;
    let refused = plugin(namespace, &restore).await;
    assert_eq!(refused.code, Some(2), "{}", refused.err);

    done(namespace, &["defragment", "safe", "--wait", "--timeout", "5m"]).await;
    assert_eq!(value(&cluster, "kept").await.trim(), "two");
    let roll_back = [
        "roll-back",
        "safe",
        "--to",
        "first",
        "--accept-data-loss",
        "safe",
        "--wait",
        "--timeout",
        "7m",
    ];
    done(namespace, &roll_back).await;
    assert_eq!(value(&cluster, "kept").await.trim(), "one");
    a_report_has_no_secret(&cluster).await;
}

async fn a_report_has_no_secret(cluster: &Cluster) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.tar.gz").display().to_string();
    done(&cluster.namespace, &["report", "safe", "-o", &path]).await;
    let unpacked = Command::new("tar").args(["-xzOf", &path]).output().await.unwrap();
    let text = String::from_utf8_lossy(&unpacked.stdout);
    assert!(text.contains("\"kind\": \"EtcdCluster\"") && text.contains("ready to serve client requests"));
    for name in ["safe-client", "safe-operator", "safe-client-ca"] {
        let secret = cluster
            .secret(name)
            .await
            .unwrap_or_else(|| panic!("there is a Secret {name}"));
        for (key, bytes) in secret
            .data
            .unwrap_or_default()
            .into_iter()
            .filter(|(key, _)| key.ends_with("key"))
        {
            let pem = String::from_utf8_lossy(&bytes.0).into_owned();
            let lines = pem.lines().filter(|line| line.len() > 40 && !line.starts_with("-----"));
            lines.for_each(|line| assert!(!text.contains(line), "{name} {key}"));
        }
    }
}
