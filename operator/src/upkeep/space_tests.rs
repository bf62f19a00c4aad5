//! How much room there is, and what is done when there is none.

use serde_json::{Value, json};
use taffrail_crds::{CAUSE, ConditionType, EtcdDefragmentation};

use super::nospace::{NOSPACE, Remedy, remedy};
use super::policy;
use super::space::{advice, quota_bytes, told};
use super::testing::{self, GIB, MIB, cluster, down, facts, now, seen};
use crate::cluster::observe::Observed;
use crate::etcd::{Alarm, AlarmKind};

#[test]
fn the_quota_in_force_is_the_declared_one_or_that_of_etcd() {
    let table = [
        (json!({}), 2 * GIB),
        (json!({"quota": "4Gi"}), 4 * GIB),
        (json!({"quota": "0"}), 2 * GIB),
    ];
    for (spec, expected) in table {
        assert_eq!(quota_bytes(&cluster(spec).spec), expected);
    }
}

#[test]
fn the_advice_is_a_quota_that_the_volume_has_room_for() {
    let table = [
        (json!({"storage": {"size": "8Gi"}}), 2 * GIB, "set spec.quota to 4Gi"),
        (
            json!({"storage": {"size": "20Gi"}, "quota": "4Gi"}),
            4 * GIB,
            "set spec.quota to 8Gi",
        ),
        (
            json!({"storage": {"size": "2Gi"}, "quota": "16Mi"}),
            16 * MIB,
            "set spec.quota to 1Gi",
        ),
        (
            json!({"storage": {"size": "4Gi"}}),
            2 * GIB,
            "set spec.storage.size to 5Gi or more, and then spec.quota to 4Gi",
        ),
        (
            json!({"storage": {"size": "90Gi"}, "quota": "8Gi"}),
            7 * GIB,
            "remove data: quotas beyond 8Gi make members slow to start",
        ),
    ];
    for (spec, in_use, expected) in table {
        assert_eq!(advice(&cluster(spec).spec, in_use), expected);
    }
}

fn condition(seen: &Observed, kind: ConditionType) -> Option<(bool, &'static str, String)> {
    let found = told(seen).into_iter().find(|one| one.0 == kind)?;
    Some((found.1, found.2, found.3))
}

#[test]
fn status_tells_of_data_that_are_too_many_and_of_a_quota_that_is_reached() {
    let mut one = seen(3, json!({"quota": "4Gi"}));
    assert!(
        !condition(&one, ConditionType::SpaceLow).unwrap().0,
        "a quarter is in use"
    );
    assert!(!condition(&one, ConditionType::NoSpace).unwrap().0);
    facts(&mut one, 1).db_size_in_use_bytes = 4 * GIB * 80 / 100 + 1;
    let (low, _, message) = condition(&one, ConditionType::SpaceLow).unwrap();
    assert!(low && message.contains("set spec.storage.size to 10Gi"), "{message}");
    full(&mut one, 1);
    let (none, _, message) = condition(&one, ConditionType::NoSpace).unwrap();
    assert!(none && message.contains("demo-1"), "{message}");
    (0..3).for_each(|at| down(&mut one, at));
    assert_eq!(condition(&one, ConditionType::SpaceLow), None, "nobody knows");
}

#[test]
fn a_schedule_that_nobody_understands_is_told_of() {
    let of = |policy: Value| {
        let seen = seen(1, json!({"defragmentation": policy}));
        condition(&seen, ConditionType::DefragmentationScheduled).map(|one| (one.0, one.1))
    };
    assert_eq!(of(json!({"schedule": "@daily"})), Some((true, "Waiting")));
    assert_eq!(
        of(json!({"schedule": "@daily", "suspend": true})),
        Some((false, "Suspended"))
    );
    assert_eq!(of(json!({"schedule": "at noon"})), Some((false, "InvalidSchedule")));
    assert_eq!(
        condition(&seen(1, json!({})), ConditionType::DefragmentationScheduled),
        None
    );
}

fn full(seen: &mut Observed, at: usize) {
    let member_id = at as u64 + 1;
    let kind = AlarmKind::NoSpace;
    seen.alarms.push(Alarm { member_id, kind });
}

/// All members have 4 GiB of a quota of 4 GiB allocated, and so much in use.
fn without_space(in_use: i64) -> Observed {
    let mut one = seen(3, json!({"quota": "4Gi"}));
    full(&mut one, 0);
    (0..3).for_each(|at| facts(&mut one, at).db_size_in_use_bytes = in_use);
    one
}

#[test]
fn nothing_is_done_without_the_alarm_nor_while_a_member_does_not_tell() {
    assert_eq!(remedy(&seen(3, json!({})), &[], false), Remedy::None);
    let mut one = without_space(GIB);
    down(&mut one, 1);
    assert_eq!(remedy(&one, &[], false), Remedy::Wait);
}

#[test]
fn what_is_free_is_given_back_without_touching_the_history() {
    let one = without_space(GIB);
    let Remedy::Defragment(made) = remedy(&one, &[], false) else {
        panic!("{:?}", remedy(&one, &[], false));
    };
    assert_eq!(
        (made.labels_of(CAUSE), made.spec.only_if.is_none()),
        (NOSPACE.into(), true)
    );
    assert_eq!(remedy(&one, &[*made], false), Remedy::Wait, "it is under way");
}

#[test]
fn history_goes_only_if_the_data_fill_the_quota_and_some_of_it_stays() {
    let one = without_space(4 * GIB);
    assert_eq!(remedy(&one, &[], false), Remedy::Compact(4000));
    assert_eq!(remedy(&one, &[], true), Remedy::Full);
    let mut young = without_space(4 * GIB);
    (0..3).for_each(|at| facts(&mut young, at).revision = 1000);
    assert_eq!(remedy(&young, &[], false), Remedy::Full);
}

#[test]
fn the_alarm_goes_once_every_member_has_room() {
    let mut one = without_space(GIB);
    (0..2).for_each(|at| facts(&mut one, at).db_size_bytes = GIB);
    assert!(matches!(remedy(&one, &[], false), Remedy::Defragment(_)));
    facts(&mut one, 2).db_size_bytes = GIB;
    assert_eq!(remedy(&one, &[], false), Remedy::Disarm(one.alarms[0]));
}

#[test]
fn members_are_not_defragmented_again_and_again() {
    let one = without_space(GIB);
    let made = |minutes: i64| {
        let time = now().checked_sub(jiff::SignedDuration::from_mins(minutes)).unwrap();
        let mut made = policy::task(&one.cluster, NOSPACE, time, None);
        made.metadata.creation_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(time));
        made.status = serde_json::from_value(json!({"phase": "Failed"})).unwrap();
        made
    };
    assert_eq!(remedy(&one, &[made(9)], false), Remedy::Wait);
    assert!(matches!(remedy(&one, &[made(10)], false), Remedy::Defragment(_)));
    let by_hand = testing::task("mine", testing::NOW, json!({}), json!({"phase": "Succeeded"}));
    assert!(matches!(remedy(&one, &[by_hand], false), Remedy::Defragment(_)));
}

trait Labelled {
    fn labels_of(&self, key: &str) -> String;
}

impl Labelled for EtcdDefragmentation {
    fn labels_of(&self, key: &str) -> String {
        kube::ResourceExt::labels(self).get(key).cloned().unwrap_or_default()
    }
}
