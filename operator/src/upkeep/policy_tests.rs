//! Policies, times, and what is due.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use serde_json::{Value, json};
use taffrail_crds::{CAUSE, EtcdDefragmentation};

use super::policy::{POLICY, due, task};
use super::testing::{self, cluster, now};

fn policy(more: Value) -> Value {
    let mut policy = json!({"schedule": "0 3 * * *"});
    policy
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json!({"defragmentation": policy})
}

/// Made by the policy, so many days ago, and over.
fn over(days: i64) -> EtcdDefragmentation {
    let time = now().checked_sub(SignedDuration::from_hours(24 * days)).unwrap();
    let mut made = task(&cluster(json!({})), POLICY, time, None);
    made.status = serde_json::from_value(json!({"phase": "Succeeded"})).unwrap();
    made
}

fn name_of(time: &str) -> String {
    let time: Timestamp = time.parse().unwrap();
    format!("demo-policy-{}", time.as_second() / 60)
}

#[test]
fn one_is_made_at_its_time_with_a_name_that_says_which_it_is() {
    let made = due(&cluster(policy(json!({"minFreePercent": 30}))), &[over(1)], now())
        .make
        .unwrap();
    assert_eq!(made.name_any(), name_of("2026-01-01T03:00:00Z"));
    assert_eq!(made.spec.only_if.as_ref().unwrap().min_free_percent, Some(30));
    assert_eq!(made.labels()[CAUSE], POLICY);
    assert_eq!(made.owner_references()[0].uid, "uid-1");
    assert_eq!(made.spec.cluster_ref.name, "demo");
    let zoned = cluster(policy(json!({"schedule": "0 4 * * *", "timeZone": "Europe/Berlin"})));
    assert!(due(&zoned, &[], now()).make.is_some(), "three in the morning UTC");
}

#[test]
fn none_is_made_twice_nor_while_another_is_open_nor_when_nobody_wants_it() {
    let of = |spec: Value, all: &[EtcdDefragmentation]| due(&cluster(spec), all, now()).make;
    assert_eq!(of(policy(json!({})), &[over(0)]), None);
    let by_hand = testing::task("mine", "2026-01-01T00:00:00Z", json!({}), Value::Null);
    assert_eq!(of(policy(json!({})), &[by_hand]), None);
    assert_eq!(of(policy(json!({"suspend": true})), &[]), None);
    assert_eq!(of(policy(json!({"schedule": "at noon"})), &[]), None);
    assert_eq!(
        of(policy(json!({"schedule": "0 2 * * *"})), &[]),
        None,
        "an hour late is too late"
    );
    assert_eq!(of(json!({}), &[]), None);
}

#[test]
fn the_newest_three_of_its_own_are_kept() {
    let mut all: Vec<EtcdDefragmentation> = (1..=5).map(over).collect();
    all.push(testing::task(
        "mine",
        "2020-01-01T00:00:00Z",
        json!({}),
        json!({"phase": "Succeeded"}),
    ));
    let mut other = over(9);
    other.metadata.owner_references.as_mut().unwrap()[0].uid = "uid-of-a-namesake".into();
    all.push(other);
    let forget = due(&cluster(policy(json!({}))), &all, now()).forget;
    let names: Vec<String> = forget.iter().map(ResourceExt::name_any).collect();
    assert_eq!(names, [over(4).name_any(), over(5).name_any()]);
}

#[test]
fn it_is_looked_at_again_when_the_next_is_due() {
    let again = |schedule: &str| due(&cluster(policy(json!({"schedule": schedule}))), &[over(0)], now()).again;
    assert_eq!(again("* * * * *").unwrap().as_secs(), 30);
    assert_eq!(again("0 3 * * *").unwrap().as_secs(), 300);
}
