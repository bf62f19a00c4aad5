//! Alerts and dashboards ask for what there is, and every alert says what to do.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::{chart, repository, yaml};
use serde_json::json;
use serde_yaml_ng::Value;
use taffrail_crds::EtcdCluster;
use taffrail_operator::metrics::{BackupFigures, Metrics};

const RUNBOOKS: &str = "https://github.com/taffrail/taffrail/blob/main/docs/operations/alerts/";
/// What the operator and members show begins so; `up` and Kubernetes' own are not ours to check.
const OURS: [&str; 5] = ["etcd_", "grpc_", "taffrail_", "process_", "os_"];
/// Labels that look like metrics.
const LABELS: [&str; 4] = ["grpc_code", "grpc_type", "grpc_method", "grpc_service"];
/// Shown by members of more than one voice, by Taffrail beside etcd, and by etcd from 3.7 on; e2e/promtool sees them
/// on living members.
const OF_MEMBERS: [&str; 6] = [
    "etcd_network_peer_sent_failures_total",
    "etcd_network_peer_sent_bytes_total",
    "etcd_network_peer_round_trip_time_seconds",
    "etcd_debugging_server_alarms",
    "taffrail_store_disk_size_in_bytes",
    "taffrail_build_info",
];

fn files(folder: &str) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(chart(folder)).unwrap();
    let mut all: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    all.sort();
    let read = |path: std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    all.into_iter().map(read).collect()
}

/// Page and rule.
fn alerts() -> Vec<(String, Value)> {
    let of = |(page, text): (String, String)| {
        let groups = yaml(&text)["groups"].as_sequence().unwrap().clone();
        let rules = groups
            .into_iter()
            .flat_map(|group| group["rules"].as_sequence().unwrap().clone());
        rules.map(|rule| (page.clone(), rule)).collect::<Vec<_>>()
    };
    files("rules").into_iter().flat_map(of).collect()
}

fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let ours = words.filter(|word| OURS.iter().any(|begin| word.starts_with(begin)) && !LABELS.contains(word));
    ours.map(str::to_owned).collect()
}

/// Every series that the operator can show.
fn of_the_operator() -> BTreeSet<String> {
    let metrics = Metrics::default();
    let condition = json!({"type": "Available", "status": "True", "reason": "x", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z"});
    let cluster: EtcdCluster = serde_json::from_value(json!({
        "apiVersion": "etcd.taffrail.dev/v1alpha1", "kind": "EtcdCluster",
        "metadata": {"name": "a", "namespace": "ns"}, "spec": {},
        "status": {"leader": "a-0", "phase": "Running", "conditions": [condition],
            "certificates": [{"name": "server", "notAfter": "2026-01-01T00:00:00Z"}],
            "restore": {"object": {"key": "k", "target": {"volume": {"claimName": "c"}}}}},
    }))
    .unwrap();
    metrics.show(&cluster);
    metrics.looked(Duration::from_millis(1), Some("etcd"));
    metrics.step("AddLearner");
    metrics.unreadable("EtcdBackup");
    let figures = BackupFigures {
        last_success: Some(1),
        last_verified: Some(1),
        last_size_bytes: Some(1),
        duration: Some(1),
    };
    metrics.show_backups("ns", "a", &figures);
    metrics.backup_failed("ns", "a", "AccessDenied");
    metrics.defragmented("ns", "a", true);
    metrics.reclaimed("ns", "a", 1);
    types(&metrics.text().unwrap())
}

/// The names on a page in the text format.
fn types(page: &str) -> BTreeSet<String> {
    let lines = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    lines.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

/// Those of the list that the tests of the server compare with its page.
fn of_members() -> BTreeSet<String> {
    let list = std::fs::read_to_string(repository("e2e/tests/server/metrics_names.txt")).unwrap();
    let lines = list
        .lines()
        .filter(|line| !line.starts_with('#') && !line.contains(" absent "));
    let listed = lines.map(|line| line.split(' ').next().unwrap());
    listed.chain(OF_MEMBERS).map(str::to_owned).collect()
}

fn is_shown(name: &str, shown: &BTreeSet<String>) -> bool {
    let family = ["_bucket", "_count", "_sum"]
        .iter()
        .find_map(|part| name.strip_suffix(part));
    shown.contains(name) || family.is_some_and(|family| shown.contains(family))
}

#[test]
fn alerts_and_dashboards_ask_for_metrics_that_there_are() {
    let shown: BTreeSet<String> = of_the_operator().into_iter().chain(of_members()).collect();
    let expressions = alerts()
        .into_iter()
        .map(|(_, rule)| ("rules".to_owned(), rule["expr"].as_str().unwrap().to_owned()));
    let mut asked = 0;
    for (file, text) in expressions.chain(files("dashboards")) {
        for name in named(&text) {
            assert!(is_shown(&name, &shown), "{file}: nobody shows {name}");
            asked += 1;
        }
    }
    assert!(asked > 60, "{asked}");
}

#[test]
fn every_alert_says_what_to_do() {
    for (page, rule) in alerts() {
        let name = rule["alert"].as_str().unwrap();
        for text in ["summary", "description"] {
            assert!(
                rule["annotations"][text].as_str().is_some_and(|text| text.len() > 10),
                "{name}"
            );
        }
        let wanted = format!("{RUNBOOKS}{page}.md#{}", name.to_lowercase());
        assert_eq!(rule["annotations"]["runbook_url"], wanted.as_str(), "{name}");
        assert!(
            ["critical", "warning", "info"].contains(&rule["labels"]["severity"].as_str().unwrap()),
            "{name}"
        );
    }
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    for (page, _) in files("rules") {
        let text = std::fs::read_to_string(repository(&format!("docs/operations/alerts/{page}.md"))).unwrap();
        let told: BTreeSet<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("## "))
            .map(str::to_owned)
            .collect();
        let of_page = alerts().into_iter().filter(|(of, _)| *of == page);
        let raised = of_page
            .map(|(_, rule)| rule["alert"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(told, raised, "{page}");
    }
}

#[test]
fn every_alert_is_fired_by_a_test() {
    for (page, rule) in alerts() {
        let tests = std::fs::read_to_string(repository(&format!("e2e/rules/{page}.yaml"))).unwrap();
        let name = rule["alert"].as_str().unwrap();
        let tests = yaml(&tests)["tests"].as_sequence().unwrap().clone();
        let mut of_alert = tests.iter().filter(|test| test["name"] == name);
        let samples = |test: &Value| test["promql_expr_test"].as_sequence().unwrap().clone();
        let fires = |one: &Value| one["exp_samples"].as_sequence().is_some_and(|all| !all.is_empty());
        assert!(of_alert.any(|test| samples(test).iter().any(fires)), "{name}");
    }
}

#[test]
fn dashboards_can_be_told_apart_and_their_panels_do_not_overlap() {
    let mut uids = BTreeSet::new();
    for (name, text) in files("dashboards") {
        let board: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(uids.insert(board["uid"].as_str().unwrap().to_owned()), "{name}");
        let mut taken = BTreeSet::new();
        for panel in board["panels"].as_array().unwrap() {
            let at = |field: &str| panel["gridPos"][field].as_u64().unwrap();
            assert!(at("x") + at("w") <= 24, "{name}: {}", panel["title"]);
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    assert!(taken.insert((x, y)), "{name}: {} lies over another", panel["title"]);
                }
            }
        }
    }
    assert_eq!(uids.len(), 3);
}
