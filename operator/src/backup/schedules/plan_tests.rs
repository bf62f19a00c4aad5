use kube::ResourceExt;
use serde_json::{Value, json};
use taffrail_crds::{EtcdBackup, EtcdBackupSchedule};

use super::history::History;
use super::plan::{Plan, Restored, Seen, Step, plan};
use crate::backup::heard::Heard;
use crate::backup::request::{REQUEST, Request};
use crate::context::Settings;

fn schedule(spec: Value, status: Value) -> EtcdBackupSchedule {
    let template = json!({"clusterRef": {"name": "a"}, "target": {"volume": {"claimName": "shelf"}}});
    let mut whole = json!({"schedule": "0 * * * *", "template": template});
    whole
        .as_object_mut()
        .unwrap()
        .extend(spec.as_object().cloned().unwrap());
    serde_json::from_value(json!({"apiVersion": "etcd.taffrail.dev/v1alpha1", "kind": "EtcdBackupSchedule",
        "metadata": {"name": "s", "namespace": "ns", "uid": "87654321-bbbb", "creationTimestamp": "2026-01-01T00:30:00Z"},
        "spec": whole, "status": status}))
    .unwrap()
}

fn seen(spec: Value, status: Value, now: &str) -> Seen {
    Seen {
        schedule: schedule(spec, status),
        now: now.parse().unwrap(),
        history: History::default(),
        heard: Heard::default(),
        cluster: Some(crate::testing::cluster()),
        restored: Restored::default(),
        sharing: Vec::new(),
        missing: None,
    }
}

fn backup(name: &str, hour: u32, phase: &str) -> EtcdBackup {
    let made = format!("2026-01-01T{hour:02}:00:00Z");
    let artifact = json!({"key": format!("k-{name}"), "takenAt": made});
    serde_json::from_value(json!({"apiVersion": "etcd.taffrail.dev/v1alpha1", "kind": "EtcdBackup",
        "metadata": {"name": name, "namespace": "ns", "uid": format!("{name}-uid-0000"), "creationTimestamp": made},
        "spec": {"clusterRef": {"name": "a"}, "target": {"volume": {"claimName": "shelf"}}},
        "status": {"phase": phase, "completedAt": made, "artifact": artifact}}))
    .unwrap()
}

fn verified(mut backup: EtcdBackup) -> EtcdBackup {
    let status = backup.status.as_mut().unwrap();
    status.verification = serde_json::from_value(json!({"verifiedAt": status.completed_at})).unwrap();
    backup
}

fn planned(seen: &Seen) -> Plan {
    let settings = Settings {
        operator_image: Some("operator:1".into()),
        ..Settings::default()
    };
    plan(seen, &settings)
}

fn made(plan: &Plan) -> Option<String> {
    match &plan.step {
        Step::Make(backup) => Some(backup.name_any()),
        _ => None,
    }
}

fn condition(plan: &Plan, kind: &str) -> (String, String) {
    let one = plan.status.conditions.iter().find(|one| one.type_ == kind).unwrap();
    (one.status.clone(), one.reason.clone())
}

const NOON: &str = "2026-01-01T12:00:05Z";
/// Minutes since 1970 at noon of that day.
const AT_NOON: &str = "s-29454480";

#[test]
fn of_all_times_that_were_missed_the_last_is_made() {
    let plan = planned(&seen(json!({}), json!(null), NOON));
    assert_eq!(made(&plan).as_deref(), Some(AT_NOON));
    assert_eq!(plan.status.last_schedule_time.as_deref(), Some("2026-01-01T12:00:00Z"));
    assert_eq!(plan.status.next_schedule_time.as_deref(), Some("2026-01-01T13:00:00Z"));
    assert!(plan.step_first, "what status says has happened");
    let Step::Make(backup) = plan.step else { panic!() };
    assert!(backup.owner_references().is_empty(), "it outlives its schedule");
    let again = seen(json!({}), json!({"lastScheduleTime": "2026-01-01T12:00:00Z"}), NOON);
    assert_eq!(made(&planned(&again)), None);
}

#[test]
fn a_time_that_is_too_long_ago_is_left_out() {
    let late = seen(
        json!({"startingDeadlineSeconds": 60}),
        json!(null),
        "2026-01-01T12:02:00Z",
    );
    let plan = planned(&late);
    assert_eq!(
        (made(&plan), condition(&plan, "Scheduled")),
        (None, ("True".into(), "Missed".into()))
    );
    let in_time = seen(
        json!({"startingDeadlineSeconds": 60}),
        json!(null),
        "2026-01-01T12:00:59Z",
    );
    assert_eq!(made(&planned(&in_time)).as_deref(), Some(AT_NOON));
}

#[test]
fn the_first_is_made_at_once_if_that_is_wanted() {
    let plan = planned(&seen(json!({"immediate": true}), json!(null), "2026-01-01T00:30:01Z"));
    assert_eq!(plan.status.last_schedule_time.as_deref(), Some("2026-01-01T00:30:00Z"));
    assert!(made(&plan).is_some());
    assert_eq!(
        made(&planned(&seen(json!({}), json!(null), "2026-01-01T00:30:01Z"))),
        None
    );
}

#[test]
fn what_is_no_schedule_or_suspended_makes_nothing() {
    for (spec, reason) in [
        (json!({"schedule": "often"}), "InvalidSchedule"),
        (json!({"timeZone": "Europe/Atlantis"}), "InvalidSchedule"),
        (json!({"suspend": true}), "Suspended"),
    ] {
        let plan = planned(&seen(spec, json!(null), NOON));
        assert_eq!(
            (made(&plan), condition(&plan, "Scheduled")),
            (None, ("False".into(), reason.into()))
        );
    }
}

#[test]
fn a_schedule_that_cannot_be_read_removes_nothing() {
    let mut broken = seen(
        json!({"schedule": "often", "successfulBackupsHistoryLimit": 0, "retention": {"last": 1}}),
        json!(null),
        NOON,
    );
    broken.history = History::of(vec![backup("old", 1, "Succeeded"), backup("new", 2, "Succeeded")]);
    assert!(matches!(planned(&broken).step, Step::Wait(_)));
}

#[test]
fn concurrency_is_as_the_policy_says() {
    let running = |policy: &str| {
        let mut one = seen(json!({"concurrencyPolicy": policy}), json!(null), NOON);
        one.history = History::of(vec![backup("s-1", 11, "Running")]);
        planned(&one)
    };
    assert_eq!(made(&running("Allow")).as_deref(), Some(AT_NOON));
    let left_out = running("Forbid");
    assert!(made(&left_out).is_none() && left_out.skipped.is_some());
    assert_eq!(
        left_out.status.last_schedule_time.as_deref(),
        Some("2026-01-01T12:00:00Z")
    );
    assert!(matches!(running("Replace").step, Step::Replace(all) if all[0].name_any() == "s-1"));
}

#[test]
fn one_that_was_made_for_this_very_time_is_no_other() {
    let mut one = seen(json!({}), json!(null), NOON);
    one.history = History::of(vec![backup(AT_NOON, 12, "Running")]);
    let plan = planned(&one);
    assert_eq!(made(&plan).as_deref(), Some(AT_NOON));
    assert_eq!(plan.status.active, [AT_NOON]);
}

#[test]
fn the_first_and_every_so_manieth_backup_is_verified() {
    let is_verified = |status: Value, every: i32| {
        let plan = planned(&seen(json!({"verifyEvery": every}), status, NOON));
        let Step::Make(backup) = &plan.step else { panic!() };
        assert_eq!(plan.status.since_verified == 0, backup.spec.verify);
        backup.spec.verify
    };
    let after = |count: i32| json!({"lastScheduleTime": "2026-01-01T11:00:00Z", "sinceVerified": count});
    assert!(is_verified(json!(null), 3));
    assert!(!is_verified(after(0), 3) && !is_verified(after(1), 3) && is_verified(after(2), 3));
    assert!(is_verified(after(0), 1));
}

fn resting(spec: Value, backups: Vec<EtcdBackup>) -> Seen {
    let mut all = json!({"lastScheduleTime": "2026-01-01T12:00:00Z"});
    all["x"] = Value::Null;
    let mut one = seen(spec, all, NOON);
    one.history = History::of(backups);
    one
}

#[test]
fn history_is_cut_but_never_what_somebody_needs() {
    let limits = json!({"successfulBackupsHistoryLimit": 0, "failedBackupsHistoryLimit": 1});
    let mut one = resting(
        limits,
        vec![
            backup("restored", 1, "Succeeded"),
            verified(backup("verified", 2, "Succeeded")),
            backup("old", 3, "Succeeded"),
            backup("gone", 4, "Expired"),
            backup("failed-1", 5, "Failed"),
            backup("newest", 6, "Succeeded"),
            backup("failed-2", 7, "Unusable"),
            backup("running", 8, "Running"),
        ],
    );
    one.restored.backups = vec!["restored".into()];
    let Step::Forget(all) = planned(&one).step else {
        panic!()
    };
    let mut names: Vec<_> = all.iter().map(ResourceExt::name_any).collect();
    names.sort();
    assert_eq!(names, ["failed-1", "gone", "old"]);
}

fn prune(step: &Step) -> Request {
    let Step::Prune(job) = step else { panic!("{step:?}") };
    let container = &job.spec.as_ref().unwrap().template.spec.as_ref().unwrap().containers[0];
    let told = container.env.iter().flatten().find(|one| one.name == REQUEST).unwrap();
    serde_json::from_str(told.value.as_deref().unwrap()).unwrap()
}

#[test]
fn after_a_success_what_is_not_kept_is_removed_once() {
    let newest = backup("new", 3, "Succeeded");
    let all = vec![
        verified(backup("old", 1, "Succeeded")),
        backup("bad", 2, "Failed"),
        newest.clone(),
    ];
    let mut one = resting(json!({"retention": {"last": 1}}), all);
    one.restored.keys = vec!["k-elsewhere".into()];
    let Step::Prune(job) = planned(&one).step else { panic!() };
    let Request::Prune(request) = prune(&Step::Prune(job.clone())) else {
        panic!()
    };
    assert_eq!(request.keep, ["k-elsewhere", "k-new", "k-old"]);
    assert_eq!(
        (request.schedule.as_str(), request.cluster_uid.as_str()),
        ("ns/s", "uid-a")
    );
    one.heard.jobs = vec![*job];
    assert!(!matches!(planned(&one).step, Step::Prune(_)), "one at a time");
}

#[test]
fn nothing_is_removed_on_account_of_a_backup_that_is_not_good() {
    for phase in ["Failed", "Unusable"] {
        let all = vec![backup("old", 1, "Succeeded"), backup("new", 2, phase)];
        let plan = planned(&resting(json!({"retention": {"last": 1}}), all));
        assert!(!matches!(plan.step, Step::Prune(_)), "{phase}");
    }
    let mut gone = resting(json!({"retention": {"last": 1}}), vec![backup("new", 2, "Succeeded")]);
    gone.cluster = None;
    assert!(
        !matches!(planned(&gone).step, Step::Prune(_)),
        "its cluster has gone: everything is kept"
    );
}

#[test]
fn backups_that_were_removed_are_said_to_have_expired() {
    let newest = backup("new", 3, "Succeeded");
    let mut one = resting(
        json!({"retention": {"last": 1}}),
        vec![backup("old", 1, "Succeeded"), newest],
    );
    let Step::Prune(mut job) = planned(&one).step else {
        panic!()
    };
    job.status = serde_json::from_value(json!({"conditions": [{"type": "Complete", "status": "True"}]})).unwrap();
    let labels = job.metadata.labels.clone();
    let outcome = json!({"became": "pruned", "keys": ["k-old"], "count": 1, "kept": 1}).to_string();
    let container = json!({"name": "prune", "ready": false, "restartCount": 0, "image": "", "imageID": "",
        "state": {"terminated": {"exitCode": 0, "message": outcome}}});
    let pod = json!({"metadata": {"name": "p", "labels": labels}, "status": {"containerStatuses": [container]}});
    one.heard.jobs = vec![*job];
    one.heard.pods = vec![serde_json::from_value(pod).unwrap()];
    let plan = planned(&one);
    assert!(
        matches!(&plan.step, Step::Expire(all) if all[0].name_any() == "old" && all.len() == 1),
        "{:?}",
        plan.step
    );
    assert_eq!(condition(&plan, "RetentionApplied"), ("True".into(), "Pruned".into()));
}

#[test]
fn another_schedule_in_the_same_place_is_told_of() {
    let mut one = seen(json!({}), json!(null), NOON);
    one.sharing = vec!["other".into()];
    assert_eq!(condition(&planned(&one), "TargetShared").0, "True");
}
