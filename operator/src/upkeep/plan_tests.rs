//! Pictures, and what a defragmentation does about each.

use std::sync::Arc;

use serde_json::{Value, json};
use taffrail_crds::{DefragmentationPhase, EtcdDefragmentation, EtcdDefragmentationStatus};

use super::look::Picture;
use super::plan::{Outcome, Plan, Seen, Step, after, first_of, plan};
use super::testing::{GIB, down, facts, lead, now, seen, task};
use crate::cluster::observe::Observed;
use crate::etcd::{Alarm, AlarmKind, EtcdError};

fn of(cluster: Observed, more: Value, status: Value) -> Seen {
    Seen {
        task: task("one", "2026-01-01T00:00:00Z", more, status),
        now: now(),
        before: None,
        picture: Picture::Seen(Box::new(cluster)),
    }
}

fn planned(cluster: Observed) -> Plan {
    plan(&of(cluster, json!({}), Value::Null))
}

fn reason(plan: &Plan) -> &str {
    plan.status.reason.as_deref().unwrap()
}

/// Goes through to the end, as members do what they are asked; who was defragmented, and who led then.
fn played(mut cluster: Observed, more: Value) -> (Vec<(String, String)>, EtcdDefragmentationStatus) {
    let (mut done, mut status) = (Vec::new(), Value::Null);
    for _ in 0..50 {
        let one = of(cluster.clone(), more.clone(), status.clone());
        let Plan { status: told, step } = plan(&one);
        let mut next = told.clone();
        match step {
            Step::Over => return (done, told),
            Step::GoOn => {}
            Step::MoveLeader { to, .. } => lead(&mut cluster, to as usize - 1),
            Step::Defragment { member, .. } => {
                let at = cluster.members.iter().position(|one| one.name() == member).unwrap();
                assert_eq!(told.current.as_ref().unwrap().name, member, "written down before");
                done.push((member, cluster.leader().unwrap().name().to_owned()));
                facts(&mut cluster, at).db_size_bytes = GIB;
                let outcome = Outcome {
                    began: now(),
                    ended: now(),
                    after_bytes: Ok(GIB),
                };
                next = after(&one, &told, outcome).unwrap();
            }
            Step::Wait(_) => panic!("{told:?}"),
        }
        status = serde_json::to_value(next).unwrap();
    }
    panic!("it never ends");
}

#[test]
fn followers_come_first_and_whoever_is_defragmented_does_not_lead() {
    for (leader, order) in [(0, ["demo-1", "demo-2", "demo-0"]), (1, ["demo-0", "demo-2", "demo-1"])] {
        let mut cluster = seen(3, json!({"replicas": 3}));
        lead(&mut cluster, leader);
        let (done, status) = played(cluster, json!({}));
        let members: Vec<&str> = done.iter().map(|one| one.0.as_str()).collect();
        assert_eq!(members, order);
        assert!(done.iter().all(|(member, leader)| member != leader), "{done:?}");
        assert_eq!(
            (status.phase, status.reclaimed_bytes),
            (DefragmentationPhase::Succeeded, 9 * GIB)
        );
        assert!(status.completed_at.is_some() && status.conditions[0].status == "True");
    }
}

#[test]
fn one_alone_cannot_hand_over_and_is_defragmented_all_the_same() {
    let (done, status) = played(seen(1, json!({"replicas": 1})), json!({}));
    assert_eq!(done, [("demo-0".to_owned(), "demo-0".to_owned())]);
    assert_eq!(status.phase, DefragmentationPhase::Succeeded);
}

#[test]
fn members_with_too_little_to_gain_are_left_out_and_told_why() {
    let table = [
        (json!({"minFreeBytes": "3Gi"}), 3),
        (json!({"minFreeBytes": "3073Mi"}), 0),
        (json!({"minFreePercent": 75}), 3),
        (json!({"minFreePercent": 76}), 0),
        (json!({"minQuotaPercent": 50}), 3),
        (json!({"minQuotaPercent": 51}), 0),
        (json!({"minFreeBytes": "1Gi", "minFreePercent": 80}), 0),
    ];
    for (thresholds, expected) in table {
        let cluster = seen(3, json!({"replicas": 3, "quota": "8Gi"}));
        let (done, status) = played(cluster, json!({"onlyIf": thresholds}));
        assert_eq!(
            (done.len(), status.phase),
            (expected, DefragmentationPhase::Succeeded),
            "{thresholds}"
        );
        let skipped = status.members.iter().filter(|one| one.skipped.is_some()).count();
        assert_eq!(skipped, 3 - expected, "{thresholds}");
    }
}

#[test]
fn it_waits_while_a_member_is_down_or_the_cluster_changes() {
    type Spoil = fn(&mut Observed);
    let condition = |kind: &str| json!({"type": kind, "status": "True", "reason": "x", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"});
    fn with(seen: &mut Observed, condition: Value) {
        let status = Arc::make_mut(&mut seen.cluster).status.as_mut().unwrap();
        status.conditions.push(serde_json::from_value(condition).unwrap());
    }
    let table: [(Spoil, &str); 9] = [
        (|seen| down(seen, 2), "MemberUnhealthy"),
        (|seen| lead(seen, usize::MAX - 1), "QuorumAtRisk"),
        (
            |seen| seen.roster = Err(EtcdError::NoQuorum("no leader".into())),
            "NoQuorum",
        ),
        (
            |seen| Arc::make_mut(&mut seen.cluster).spec.paused = true,
            "ClusterPaused",
        ),
        (
            |seen| Arc::make_mut(&mut seen.cluster).spec.replicas = 0,
            "ClusterHibernated",
        ),
        (
            |seen| Arc::make_mut(&mut seen.cluster).metadata.generation = Some(2),
            "ClusterIsChanging",
        ),
        (
            |seen| seen.roster.as_mut().unwrap().members[1].is_learner = true,
            "ClusterIsChanging",
        ),
        (
            |seen| drop(seen.roster.as_mut().unwrap().members.pop()),
            "ClusterIsChanging",
        ),
        (
            |seen| {
                seen.alarms.push(Alarm {
                    member_id: 1,
                    kind: AlarmKind::Corrupt,
                })
            },
            "MemberCorrupt",
        ),
    ];
    for (spoil, expected) in table {
        let mut cluster = seen(3, json!({"replicas": 3}));
        spoil(&mut cluster);
        let plan = planned(cluster);
        assert!(matches!(plan.step, Step::Wait(_)), "{expected}: {plan:?}");
        assert_eq!((reason(&plan), plan.status.current.is_none()), (expected, true));
    }
    for kind in ["Progressing", "QuorumLost"] {
        let mut cluster = seen(3, json!({"replicas": 3}));
        with(&mut cluster, condition(kind));
        assert_eq!(reason(&planned(cluster)), "ClusterIsChanging");
    }
}

#[test]
fn a_full_cluster_is_no_reason_to_wait() {
    let mut cluster = seen(3, json!({"replicas": 3}));
    cluster.alarms.push(Alarm {
        member_id: 1,
        kind: AlarmKind::NoSpace,
    });
    assert_eq!(played(cluster, json!({})).0.len(), 3);
}

#[test]
fn without_a_cluster_or_behind_another_it_waits() {
    let mut one = of(seen(3, json!({})), json!({}), Value::Null);
    one.before = Some("older".into());
    assert_eq!(reason(&plan(&one)), "AnotherIsFirst");
    for (picture, expected) in [
        (Picture::Missing, "ClusterMissing"),
        (Picture::Unknown, "ClusterUnknown"),
    ] {
        one.picture = picture;
        assert_eq!(reason(&plan(&one)), expected);
    }
}

#[test]
fn what_was_begun_is_done_again_after_a_crash_and_a_member_that_left_is_not_waited_for() {
    let current = |name: &str| json!({"phase": "Running", "current": {"name": name, "beforeBytes": 7, "startedAt": "2026-01-01T03:00:00Z"}});
    let again = plan(&of(seen(3, json!({"replicas": 3})), json!({}), current("demo-2")));
    assert!(
        matches!(&again.step, Step::Defragment { member, .. } if member == "demo-2"),
        "{again:?}"
    );
    let leads = plan(&of(seen(3, json!({"replicas": 3})), json!({}), current("demo-0")));
    assert!(matches!(leads.step, Step::MoveLeader { .. }), "{leads:?}");
    let gone = plan(&of(seen(3, json!({"replicas": 3})), json!({}), current("demo-9")));
    assert_eq!((gone.step, gone.status.current), (Step::GoOn, None));
    assert_eq!(
        gone.status.members[0].skipped.as_deref(),
        Some("it has left the cluster")
    );
}

#[test]
fn a_member_that_refuses_ends_it_and_one_that_is_cut_off_is_asked_again_for_a_while() {
    let begun = |at: &str| {
        let current = json!({"name": "demo-1", "beforeBytes": 9, "startedAt": at});
        of(
            seen(3, json!({})),
            json!({}),
            json!({"phase": "Running", "current": current}),
        )
    };
    let ended = |one: &Seen, error: EtcdError| {
        let outcome = Outcome {
            began: now(),
            ended: now(),
            after_bytes: Err(error),
        };
        after(one, one.task.status.as_ref().unwrap(), outcome)
    };
    let (fresh, old) = (begun("2026-01-01T03:00:00Z"), begun("2026-01-01T02:00:00Z"));
    let lost = || EtcdError::Unreachable("broken pipe".into());
    assert_eq!(ended(&fresh, lost()), None);
    for status in [ended(&old, lost()), ended(&fresh, EtcdError::TimedOut(300))] {
        let status = status.unwrap();
        assert_eq!((status.phase, status.current), (DefragmentationPhase::Failed, None));
        assert!(status.members[0].error.is_some() && status.message.unwrap().starts_with("demo-1: "));
    }
}

#[test]
fn of_several_the_oldest_comes_first_unless_another_has_begun() {
    let open = |name: &str, born: &str| task(name, born, json!({}), Value::Null);
    let first = |all: &[EtcdDefragmentation]| first_of(all, "demo").unwrap().metadata.name.clone().unwrap();
    let mut all = vec![
        open("c", "2026-01-01T00:00:01Z"),
        open("b", "2026-01-01T00:00:00Z"),
        open("a", "2026-01-01T00:00:01Z"),
        task("old", "2025-01-01T00:00:00Z", json!({}), json!({"phase": "Failed"})),
    ];
    assert_eq!(first(&all), "b");
    all.remove(1);
    assert_eq!(first(&all), "a");
    all[0].status = serde_json::from_value(json!({"phase": "Running", "current": {"name": "demo-1"}})).unwrap();
    assert_eq!(first(&all), "c");
    assert!(first_of(&all, "other").is_none());
}
