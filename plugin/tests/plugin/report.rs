//! A report has what support needs, and no secret.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use crate::double::{Double, OURS};
use serde_json::json;

const PLANTED: &str = "hunter2PLANTED";

fn world() -> Double {
    let double = Double::default();
    let applied = json!({"kubectl.kubernetes.io/last-applied-configuration": format!("{{\"x\":\"{PLANTED}\"}}")});
    let metadata = |name: &str| {
        json!({"name": name, "annotations": applied, "managedFields": [{"manager": PLANTED}],
               "labels": {"etcd.taffrail.dev/cluster": "demo", "app.kubernetes.io/managed-by": "taffrail-operator"}})
    };
    double.put(
        OURS,
        "etcdclusters",
        json!({
            "apiVersion": "etcd.taffrail.dev/v1alpha1", "kind": "EtcdCluster", "metadata": metadata("demo"), "spec": {},
        }),
    );
    let backup = |name: &str, of: &str| {
        json!({
            "metadata": {"name": name}, "spec": {"clusterRef": {"name": of}, "target": {}},
            "status": {"message": format!("GET https://x/?X-Amz-Signature={PLANTED}&a=1 was refused")},
        })
    };
    double.put(OURS, "etcdbackups", backup("mine", "demo"));
    double.put(OURS, "etcdbackups", backup("anothers", "other"));
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": metadata("demo-0"),
        "spec": {"containers": [{
            "name": "etcd", "args": [format!("--root-password={PLANTED}")],
            "env": [{"name": "PLAIN", "value": PLANTED},
                    {"name": "FROM", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "password"}}}],
        }]},
        "status": {"containerStatuses": [{"name": "etcd", "image": "", "imageID": "", "ready": true, "restartCount": 1,
                                          "state": {"running": {}}}]},
    });
    double.put("/api/v1", "pods", pod.clone());
    pod["metadata"] = json!({"name": "operator-0", "namespace": "taffrail-system",
                             "labels": {"app.kubernetes.io/name": "taffrail-operator"}});
    double.put("/api/v1", "pods", pod);
    for name in ["demo-client", "backup-keys", "sh.helm.release.v1.taffrail.v1"] {
        let secret =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata(name), "stringData": {"x": PLANTED}});
        double.put("/api/v1", "secrets", secret);
    }
    double.put(
        "/api/v1",
        "events",
        json!({
            "metadata": {"name": "e"}, "involvedObject": {"name": "demo-0"},
            "message": format!("pulled with Authorization: Bearer {PLANTED}xyz"),
        }),
    );
    double.log(
        "demo-0/etcd",
        &format!("ready to serve\n{{\"msg\":\"x\",\"password\":\"{PLANTED}\"}}\n"),
    );
    double.log(
        "demo-0/etcd/previous",
        &format!("-----BEGIN PRIVATE KEY-----\n{PLANTED}\n-----END PRIVATE KEY-----\nthe end\n"),
    );
    double.log(
        "operator-0/etcd",
        &format!("dialling https://root:{PLANTED}@demo-0:2379\n"),
    );
    double
}

async fn files(double: &Double, line: &str) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.tar.gz");
    let ended = double.run(&format!("{line} -o {}", path.display())).await;
    assert_eq!(ended.code, 0, "{}", ended.notes);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(std::fs::File::open(&path).unwrap()));
    let read = |entry: std::io::Result<tar::Entry<_>>| {
        let mut entry = entry.unwrap();
        let (name, mut text) = (entry.path().unwrap().display().to_string(), String::new());
        entry.read_to_string(&mut text).unwrap();
        (name, text)
    };
    tar.entries().unwrap().map(read).collect()
}

#[tokio::test]
async fn a_planted_secret_is_nowhere_in_it() {
    let double = world();
    let files = files(&double, "report demo").await;
    for (name, text) in &files {
        assert!(!text.contains(PLANTED), "{name}: {text}");
    }
    let asked = double.asked();
    assert!(!asked.iter().any(|asked| asked.contains("/secrets")), "{asked:#?}");
    assert!(asked.iter().all(|asked| asked.starts_with("GET ")));
}

#[tokio::test]
async fn what_support_needs_is_in_it() {
    let files = files(&world(), "report demo").await;
    for (name, part) in [
        ("about.json", "v1.36.0"),
        ("objects/etcdcluster.json", "\"demo\""),
        ("objects/etcdbackups.json", "mine"),
        ("objects/pods.json", "secretKeyRef"),
        ("objects/events.json", "pulled with"),
        ("logs/a/demo-0/etcd.log", "ready to serve"),
        ("logs/a/demo-0/etcd.previous.log", "the end"),
        ("logs/taffrail-system/operator-0/etcd.log", "demo-0:2379"),
        ("problems.txt", ""),
    ] {
        let text = files.get(name).unwrap_or_else(|| panic!("{name}: {:?}", files.keys()));
        assert!(text.contains(part), "{name}: {text}");
    }
    assert!(!files["objects/etcdbackups.json"].contains("anothers"));
}

#[tokio::test]
async fn what_may_not_be_seen_is_told_and_holds_nothing_up() {
    let double = world();
    double.forbid("/events");
    double.forbid("GET /api/v1/pods");
    let files = files(&double, "report demo").await;
    let problems = &files["problems.txt"];
    assert!(
        problems.contains("no right to list events") && problems.contains("--operator-namespace"),
        "{problems}"
    );
    assert!(files.contains_key("logs/a/demo-0/etcd.log"));
}

#[tokio::test]
async fn a_file_that_is_there_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine");
    std::fs::write(&path, "mine").unwrap();
    let ended = world().run(&format!("report demo -o {}", path.display())).await;
    assert_eq!(ended.code, 2);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
}

#[tokio::test]
async fn a_long_log_keeps_its_end() {
    let double = world();
    let long: String = (0..1000).map(|number| format!("line {number}\n")).collect();
    double.log("demo-0/etcd", &long);
    let files = files(&double, "report demo --log-bytes-max 1024").await;
    let log = &files["logs/a/demo-0/etcd.log"];
    assert!(log.len() <= 1024 && log.ends_with("line 999") && !log.contains("line 1\n"));
}
