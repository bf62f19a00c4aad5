use serde_json::json;

use super::*;

fn backup(name: &str, made: &str, phase: &str) -> EtcdBackup {
    let spec = json!({"clusterRef": {"name": "a"}, "target": {"volume": {"claimName": "shelf"}}});
    let status = json!({"phase": phase, "reason": "Because", "message": "of that", "startedAt": made, "completedAt": made,
        "artifact": {"revision": 7, "sizeBytes": 9}});
    serde_json::from_value(json!({"apiVersion": "etcd.taffrail.dev/v1alpha1", "kind": "EtcdBackup",
        "metadata": {"name": name, "creationTimestamp": made}, "spec": spec, "status": status}))
    .unwrap()
}

fn schedule(schedule: &str, last: Option<&str>) -> EtcdBackupSchedule {
    let template = json!({"clusterRef": {"name": "a"}, "target": {"volume": {"claimName": "shelf"}}});
    serde_json::from_value(
        json!({"apiVersion": "etcd.taffrail.dev/v1alpha1", "kind": "EtcdBackupSchedule",
        "metadata": {"name": "s", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"schedule": schedule, "template": template}, "status": {"lastSuccessfulTime": last}}),
    )
    .unwrap()
}

fn told(backups: &[EtcdBackup], schedules: &[EtcdBackupSchedule], now: &str) -> BackupSummary {
    summary(backups, schedules, None, now.parse().unwrap()).unwrap()
}

#[test]
fn a_cluster_that_nobody_backs_up_is_told_nothing() {
    assert_eq!(
        summary(&[], &[], Some(&BackupSummary::default()), Timestamp::UNIX_EPOCH),
        None
    );
}

#[test]
fn the_newest_end_counts() {
    let first = backup("one", "2026-01-01T00:00:00Z", "Succeeded");
    let failed = backup("two", "2026-01-02T00:00:00Z", "Failed");
    let running = backup("three", "2026-01-03T00:00:00Z", "Running");
    let now = "2026-01-03T00:00:00Z";
    let good = told(std::slice::from_ref(&first), &[], now);
    assert_eq!(
        (good.ready, good.reason.as_str(), good.last_revision),
        (true, "BackedUp", Some(7))
    );
    let bad = told(&[first.clone(), failed.clone(), running], &[], now);
    assert_eq!((bad.ready, bad.reason.as_str()), (false, "BackupFailed"));
    assert_eq!(bad.last_successful_backup, good.last_successful_backup);
    assert!(bad.last_failure.unwrap().contains("Because"));
    let mended = told(
        &[first, failed, backup("four", "2026-01-04T00:00:00Z", "Succeeded")],
        &[],
        now,
    );
    assert!(mended.ready);
}

#[test]
fn a_schedule_that_makes_nothing_for_two_periods_is_overdue() {
    let old = [backup("one", "2026-01-01T00:00:00Z", "Succeeded")];
    let daily = [schedule("@daily", Some("2026-01-01T00:00:00Z"))];
    assert!(told(&old, &daily, "2026-01-02T23:00:00Z").ready);
    let late = told(&old, &daily, "2026-01-03T00:00:01Z");
    assert_eq!((late.ready, late.reason.as_str()), (false, "Overdue"));
    assert_eq!(
        told(&[], &[schedule("@daily", None)], "2026-01-01T10:00:00Z").reason,
        "NoBackup"
    );
    assert_eq!(
        told(&[], &[schedule("@often", None)], "2026-01-01T10:00:00Z").reason,
        "InvalidSchedule"
    );
}

#[test]
fn the_past_outlives_the_backups_that_told_of_it() {
    let old = backup("one", "2026-01-01T00:00:00Z", "Succeeded");
    let before = told(std::slice::from_ref(&old), &[], "2026-01-01T10:00:00Z");
    let daily = [schedule("@daily", None)];
    let now = summary(&[], &daily, Some(&before), "2026-01-01T10:00:00Z".parse().unwrap()).unwrap();
    assert_eq!(now.last_successful_backup, before.last_successful_backup);
}
