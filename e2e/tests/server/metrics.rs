//! Every metric that etcd 3.6 shows, with its type, labels and buckets.
//!
//! `metrics_names.txt` has a line for each: name, type, labels, buckets. What is written there as absent must not be
//! shown: a number that cannot be right is left out.

use std::collections::{BTreeMap, BTreeSet};

use taffrail_e2e::requests::{get, put};
use taffrail_e2e::{Member, http};
use taffrail_proto::etcdserverpb::DefragmentRequest;

const EXPECTED: &str = include_str!("metrics_names.txt");

#[derive(Debug, Default, PartialEq, Eq)]
struct Shape {
    kind: String,
    labels: BTreeSet<String>,
    buckets: Vec<String>,
}

fn expected() -> BTreeMap<String, Shape> {
    let list = |text: &str| -> Vec<String> {
        let parts = text.split(',').filter(|part| *part != "-");
        parts.map(str::to_owned).collect()
    };
    let shape = |line: &str| {
        let fields: Vec<_> = line.split(' ').collect();
        let [name, kind, labels, buckets] = fields[..] else {
            panic!("not four fields: {line}");
        };
        let shape = Shape {
            kind: kind.to_owned(),
            labels: list(labels).into_iter().collect(),
            buckets: list(buckets),
        };
        (name.to_owned(), shape)
    };
    EXPECTED
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(shape)
        .collect()
}

/// What a page in the text format shows.
fn shown(page: &str) -> BTreeMap<String, Shape> {
    let mut shown: BTreeMap<String, Shape> = BTreeMap::new();
    for line in page.lines() {
        if let Some(of_type) = line.strip_prefix("# TYPE ") {
            let (name, kind) = of_type.split_once(' ').unwrap();
            shown.entry(name.to_owned()).or_default().kind = kind.to_owned();
        } else if !line.starts_with('#') {
            add_series(&mut shown, line);
        }
    }
    shown
}

fn add_series(shown: &mut BTreeMap<String, Shape>, line: &str) {
    let (series, _) = line.rsplit_once(' ').unwrap();
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    let parts = ["_bucket", "_sum", "_count"];
    let family = parts
        .iter()
        .find_map(|part| name.strip_suffix(part).filter(|family| shown.contains_key(*family)));
    let shape = shown
        .get_mut(family.unwrap_or(name))
        .unwrap_or_else(|| panic!("{name} has no type"));
    for label in labels
        .trim_end_matches('}')
        .split("\",")
        .filter(|label| !label.is_empty())
    {
        let (label, value) = label.split_once("=\"").unwrap();
        let value = value.trim_end_matches('"').to_owned();
        if label != "le" {
            shape.labels.insert(label.to_owned());
        } else if !shape.buckets.contains(&value) {
            shape.buckets.push(value);
        }
    }
}

async fn a_little_of_everything(member: &Member) {
    member.put(put("k", "v")).await;
    member.range(get("k")).await;
    for path in ["/health", "/livez", "/readyz", "/metrics"] {
        assert_eq!(http::get(&member.address(), path).await.status, 200);
    }
}

#[tokio::test]
async fn every_name_of_etcd_is_there_with_its_type_labels_and_buckets() {
    let member = Member::builder().arg("--metrics=extensive").start().await;
    a_little_of_everything(&member).await;
    let shown = shown(&http::get(&member.address(), "/metrics").await.body);
    for (name, shape) in expected() {
        match shape.kind.as_str() {
            "absent" => assert!(!shown.contains_key(&name), "{name} cannot be right and is shown"),
            _ => assert_eq!(shown.get(&name), Some(&shape), "{name}"),
        }
    }
}

#[tokio::test]
async fn what_is_shown_was_counted() {
    let member = Member::fresh().await;
    a_little_of_everything(&member).await;
    let page = http::get(&member.address(), "/metrics").await.body;
    for line in [
        "etcd_server_apply_duration_seconds_count{op=\"Put\",success=\"true\",version=\"v3\"} 1",
        // One range of ours; one each of health and livez, two of readyz.
        "etcd_server_range_duration_seconds_count{success=\"true\"} 5",
        "etcd_server_slow_apply_total 0",
        "etcd_debugging_auth_revision 1",
        "etcd_server_feature_enabled{name=\"AllAlpha\",stage=\"ALPHA\"} 0",
        "etcd_server_healthcheck{name=\"serializable_read\",type=\"livez\"} 1",
        "etcd_server_healthchecks_total{name=\"non_learner\",status=\"success\",type=\"readyz\"} 1",
        "promhttp_metric_handler_requests_in_flight 1",
        "promhttp_metric_handler_requests_total{code=\"200\"} 1",
    ] {
        assert!(page.contains(line), "{line} is not in\n{page}");
    }
}

#[tokio::test]
async fn upkeep_is_counted_when_it_is_done() {
    let member = Member::fresh().await;
    member.put(put("k", "v")).await;
    member.hash_kv(0).await;
    member.maintenance().defragment(DefragmentRequest {}).await.unwrap();
    let page = http::get(&member.address(), "/metrics").await.body;
    for line in [
        "etcd_mvcc_hash_rev_duration_seconds_count 1",
        "etcd_disk_backend_defrag_duration_seconds_count 1",
    ] {
        assert!(page.contains(line), "{line} is not in\n{page}");
    }
}
