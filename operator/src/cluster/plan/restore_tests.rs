//! Pictures of clusters that are to begin with a backup, or to go back to one.

use serde_json::{Value, json};
use taffrail_crds::{LeavingReason, RestorePhase, RestoreStatus, RollBackPhase, RollBackStatus};

use super::Step;
use super::tests::Picture;
use crate::problem::Problem;

fn chosen(key: &str) -> RestoreStatus {
    let object = json!({"target": {"volume": {"claimName": "shelf"}}, "key": key});
    serde_json::from_value(json!({"object": object, "startedAt": "2026-01-01T00:00:00Z"})).unwrap()
}

/// Nothing is there yet.
fn unfounded(status: Option<RestoreStatus>) -> Picture {
    let mut picture = Picture::of(0, 3);
    picture.change(|cluster| {
        let source = json!({"restore": {"source": {"backupName": "one"}}});
        cluster.spec.bootstrap = serde_json::from_value(source).unwrap();
        let told = cluster.status.as_mut().unwrap();
        told.cluster_id = None;
        told.restore = status;
    });
    picture
}

/// The first member has its volume, and no pod.
fn with_volume(status: RestoreStatus) -> Picture {
    let mut picture = unfounded(Some(status));
    let there = Picture::of(1, 3).seen.members.remove(0);
    picture.seen.members.push(there);
    let first = &mut picture.seen.members[0];
    first.record.spec.member_id = None;
    first.pod = None;
    first.facts = Err(crate::etcd::EtcdError::Unreachable("no".into()));
    picture
}

fn pod(phase: &str, inits: Value) -> k8s_openapi::api::core::v1::Pod {
    let meta = json!({"name": "demo-0-restore", "uid": "pod-r"});
    let status = json!({"phase": phase, "initContainerStatuses": inits});
    serde_json::from_value(json!({"metadata": meta, "status": status})).unwrap()
}

fn ended(name: &str, code: i32, words: &Value) -> Value {
    json!({"name": name, "image": "", "imageID": "", "ready": false, "restartCount": 0,
           "state": {"terminated": {"exitCode": code, "message": words.to_string(), "finishedAt": "2026-01-01T00:09:59Z"}}})
}

fn failed(reason: &str, hopeless: bool) -> k8s_openapi::api::core::v1::Pod {
    let words = json!({"became": "failed", "reason": reason, "message": "so it was", "hopeless": hopeless});
    pod("Failed", json!([ended("fetch", 1, &words)]))
}

#[test]
fn nothing_is_founded_before_it_is_known_what_is_restored_and_that_is_written_down_first() {
    let mut picture = unfounded(None);
    assert!(matches!(picture.step(), Step::Wait(_)));
    picture.seen.restore_source = Some(Err(Problem::new("BackupMissing", "there is none")));
    let plan = picture.plan();
    assert!(
        matches!(plan.step, Step::Wait(_)) && plan.why.contains("there is none"),
        "{plan:?}"
    );
    picture.seen.restore_source = Some(Ok(chosen("a")));
    assert_eq!(picture.step(), Step::NoteRestore(Box::new(chosen("a"))));
}

#[test]
fn a_first_volume_is_filled_before_its_member_starts_and_once() {
    let picture = unfounded(Some(chosen("a")));
    assert!(matches!(picture.step(), Step::CreateMember { seed: true, .. }));
    let mut picture = with_volume(chosen("a"));
    assert_eq!(
        picture.step(),
        Step::RunRestore {
            member: "demo-0".into()
        }
    );
    picture.seen.restore_pod = Some(pod("Running", json!([])));
    assert!(matches!(picture.step(), Step::Wait(_)));
    picture.seen.restore_pod = Some(pod("Succeeded", json!([])));
    let remember = Step::RememberRestored {
        member: "demo-0".into(),
        key: "a".into(),
    };
    assert_eq!(picture.step(), remember);
    // It was filled by an attempt whose end nobody heard of.
    let nothing = json!({"became": "fetched", "artifact": null, "snapshot_bytes": 0});
    picture.seen.restore_pod = Some(pod(
        "Failed",
        json!([ended("fetch", 0, &nothing), ended("restore", 1, &json!(""))]),
    ));
    assert_eq!(picture.step(), remember);
    picture.seen.members[0].record.spec.restored_from = Some("a".into());
    // The operator died between the record and the status.
    assert_eq!(picture.step(), remember);
    picture.change(|cluster| {
        let restore = cluster.status.as_mut().and_then(|status| status.restore.as_mut());
        restore.unwrap().phase = RestorePhase::Restored;
    });
    assert!(matches!(picture.step(), Step::DeletePod { pod, .. } if pod == "demo-0-restore"));
    picture.seen.restore_pod = None;
    assert_eq!(
        picture.step(),
        Step::CreatePod {
            member: "demo-0".into()
        }
    );
}

#[test]
fn a_failure_is_written_down_before_its_pod_goes_and_the_next_attempt_comes_after_a_pause() {
    let mut picture = with_volume(chosen("a"));
    picture.seen.restore_pod = Some(failed("Stalled", false));
    let Step::NoteRestore(noted) = picture.step() else {
        panic!("not noted")
    };
    assert_eq!((noted.phase, noted.failures), (RestorePhase::Restoring, 1));
    assert_eq!(noted.reason.as_deref(), Some("Stalled"));
    picture.change(|cluster| cluster.status.as_mut().unwrap().restore = Some(*noted));
    assert!(matches!(picture.step(), Step::DeletePod { .. }));
    picture.seen.restore_pod = None;
    let plan = picture.plan();
    assert!(
        matches!(plan.step, Step::Wait(_)) && plan.why.contains("Stalled"),
        "{plan:?}"
    );
    picture.seen.now = "2026-01-01T00:10:30Z".parse().unwrap();
    assert!(matches!(picture.step(), Step::RunRestore { .. }));
}

#[test]
fn what_is_hopeless_or_failed_too_often_is_given_up_until_something_else_is_declared() {
    for (hopeless, failures) in [(true, 0), (false, 5)] {
        let begun = RestoreStatus {
            failures,
            ..chosen("a")
        };
        let mut picture = with_volume(begun);
        picture.seen.restore_pod = Some(failed("ChecksumMismatch", hopeless));
        let Step::NoteRestore(noted) = picture.step() else {
            panic!("not noted")
        };
        assert_eq!(noted.phase, RestorePhase::Failed);
        picture.change(|cluster| cluster.status.as_mut().unwrap().restore = Some(*noted));
        picture.seen.restore_source = Some(Ok(chosen("a")));
        assert!(matches!(picture.step(), Step::Wait(_)));
        picture.seen.restore_source = Some(Ok(chosen("b")));
        assert!(matches!(picture.step(), Step::NoteRestore(next) if next.object.key == "b" && next.failures == 0));
    }
}

#[test]
fn a_founded_cluster_is_never_restored() {
    let mut picture = Picture::of(3, 3);
    picture.change(|cluster| cluster.status.as_mut().unwrap().restore = Some(chosen("a")));
    picture.seen.restore_source = Some(Ok(chosen("b")));
    assert_eq!(picture.step(), Step::Nothing);
}

fn asked(picture: &mut Picture, under: &str) {
    let consent = [
        ("etcd.taffrail.dev/roll-back-to", "one"),
        ("etcd.taffrail.dev/accept-data-loss", under),
    ];
    let consent = consent.map(|(key, value)| (key.to_owned(), value.to_owned()));
    picture.change(|cluster| cluster.metadata.annotations = Some(consent.into()));
}

#[test]
fn a_living_cluster_goes_back_only_under_its_own_name_and_with_the_backup_at_hand() {
    let mut picture = Picture::of(3, 3);
    picture.seen.restore_source = Some(Ok(chosen("a")));
    asked(&mut picture, "another");
    assert_eq!(picture.step(), Step::Nothing);
    asked(&mut picture, "demo");
    assert!(matches!(picture.step(), Step::RollBack { restore: Some(_), .. }));
    picture.seen.restore_source = Some(Err(Problem::new("BackupMissing", "there is none")));
    assert_eq!(picture.step(), Step::Nothing);
}

#[test]
fn a_roll_back_stops_everybody_and_then_lets_everybody_leave() {
    let mut picture = Picture::of(3, 3);
    let under_way = |phase| RollBackStatus {
        phase,
        to: "one".into(),
        started_at: String::new(),
        finished_at: None,
    };
    picture.change(|cluster| {
        let status = cluster.status.as_mut().unwrap();
        status.restore = Some(chosen("a"));
        status.roll_back = Some(under_way(RollBackPhase::Stopping));
    });
    assert!(matches!(picture.step(), Step::DeletePod { pod, .. } if pod == "demo-0"));
    picture.seen.members.iter_mut().for_each(|member| member.pod = None);
    assert!(
        matches!(picture.step(), Step::RollBack { roll_back, .. } if roll_back.phase == RollBackPhase::KeepingAside)
    );
    picture.change(|cluster| {
        cluster.status.as_mut().unwrap().roll_back = Some(under_way(RollBackPhase::KeepingAside));
    });
    assert!(
        matches!(picture.step(), Step::BeginLeaving { leaving, .. } if leaving.reason == LeavingReason::RolledBack)
    );
    picture.seen.members.clear();
    assert!(matches!(picture.step(), Step::RollBack { roll_back, .. } if roll_back.phase == RollBackPhase::Done));
    // Without what it goes back to it would be founded empty.
    picture.change(|cluster| cluster.status.as_mut().unwrap().restore = None);
    assert!(matches!(picture.step(), Step::Wait(_)));
}
