//! Pictures, and the one step that each asks for.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use serde_json::json;
use taffrail_crds::{EtcdCluster, EtcdMember, LeavingReason};

use super::{Phase, Plan, Step, plan};
use crate::cluster::build::{self, Mounts};
use crate::cluster::observe::{Member, Objects, Observed};
use crate::cluster::wanted::{Wanted, wanted};
use crate::context::Settings;
use crate::etcd::{Alarm, AlarmKind, Downgrade, EtcdError, MemberFacts, Roster, RosterMember};
use crate::names::Names;

const NOW: &str = "2026-01-01T00:10:00Z";

/// A cluster of healthy members; tests spoil it.
pub(super) struct Picture {
    pub seen: Observed,
}

fn cluster(replicas: i32) -> EtcdCluster {
    let manifest = json!({
        "apiVersion": "etcd.taffrail.dev/v1alpha1",
        "kind": "EtcdCluster",
        "metadata": {"name": "demo", "namespace": "shop", "uid": "uid-1"},
        "spec": {"replicas": replicas, "tls": {"client": {"mode": "Disabled"}, "peer": {"mode": "Disabled"}}},
        "status": {"clusterId": "c1", "nextSerial": replicas},
    });
    serde_json::from_value(manifest).unwrap()
}

impl Picture {
    /// `there` members, the first of which leads, where `declared` are wanted.
    pub fn of(there: i64, declared: i32) -> Self {
        let mut cluster = cluster(declared);
        cluster.status.as_mut().unwrap().next_serial = there;
        let names = Names::of(&cluster, "cluster.local");
        let objects = Objects {
            members: Vec::new(),
            strays: Vec::new(),
            orphans: Vec::new(),
            highest_serial_of_volumes: None,
            kept: Vec::new(),
        };
        let now: Timestamp = NOW.parse().unwrap();
        let mut picture = Self {
            seen: Observed::of(Arc::new(cluster), names, now, objects),
        };
        for serial in 0..there {
            let record = picture.record(serial);
            picture.seen.members.push(Member {
                record,
                pod: None,
                volume: None,
                facts: Err(EtcdError::Unreachable("no".into())),
            });
        }
        for serial in 0..there {
            picture.run(serial as usize);
        }
        picture.seen.roster = Ok(picture.roster());
        picture.seen.cluster_version = Some("3.6.0".into());
        picture
    }

    fn record(&self, serial: i64) -> EtcdMember {
        let name = format!("demo-{serial}");
        let url = format!("http://{}:2380", self.seen.names.member_host(&name));
        let mut record = build::member(&self.seen.cluster, name, serial, serial == 0, url);
        record.metadata.uid = Some(format!("record-{serial}"));
        record.spec.member_id = Some(format!("{:x}", serial + 1));
        record.spec.volume_uid = Some(format!("volume-{serial}"));
        record
    }

    fn wanted(&self) -> Wanted {
        wanted(&self.seen, &Settings::default(), Mounts::default()).unwrap()
    }

    /// Pod, volume and facts of a healthy voter that runs what is declared.
    fn run(&mut self, at: usize) {
        let wanted = self.wanted();
        let member = &mut self.seen.members[at];
        let serial = member.record.spec.serial;
        let mut pod = build::pod(&wanted.pods, &member.record);
        pod.metadata.uid = Some(format!("pod-{serial}"));
        pod.metadata
            .labels
            .as_mut()
            .unwrap()
            .insert(taffrail_crds::ROLE.into(), "voter".into());
        pod.status = Some(
            serde_json::from_value(json!({
                "phase": "Running", "podIP": format!("10.0.0.{serial}"),
                "conditions": [{"type": "Ready", "status": "True"}],
            }))
            .unwrap(),
        );
        let mut claim = build::volume(&self.seen.cluster, &member.record);
        claim.metadata.uid = Some(format!("volume-{serial}"));
        member.pod = Some(pod);
        member.volume = Some(claim);
        member.facts = Ok(MemberFacts {
            member_id: serial as u64 + 1,
            cluster_id: 0xc1,
            leader_id: 1,
            version: "3.6.14".into(),
            ..MemberFacts::default()
        });
    }

    fn roster(&self) -> Roster {
        let listed = self.seen.members.iter().map(|member| RosterMember {
            id: member.id().unwrap(),
            name: member.name().to_owned(),
            peer_urls: vec![member.record.spec.peer_url.clone()],
            ..RosterMember::default()
        });
        Roster {
            cluster_id: 0xc1,
            members: listed.collect(),
        }
    }

    pub fn change(&mut self, change: impl FnOnce(&mut EtcdCluster)) {
        change(Arc::make_mut(&mut self.seen.cluster));
    }

    /// Its container crashes; it does not answer.
    fn crash(&mut self, at: usize, restarts: i32) {
        let member = &mut self.seen.members[at];
        member.facts = Err(EtcdError::Unreachable("refused".into()));
        let status = member.pod.as_mut().unwrap().status.as_mut().unwrap();
        status.conditions = None;
        status.container_statuses = Some(vec![
            serde_json::from_value(json!({
                "name": "etcd", "image": "i", "imageID": "i", "ready": false, "restartCount": restarts,
            }))
            .unwrap(),
        ]);
    }

    fn away_since(&mut self, at: usize, since: &str) {
        self.crash(at, 1);
        let status = self.seen.members[at].record.status.get_or_insert_default();
        status.unhealthy_since = Some(since.into());
    }

    fn without_quorum(&mut self) {
        self.seen.roster = Err(EtcdError::NoQuorum("no leader".into()));
        for member in &mut self.seen.members {
            if let Ok(facts) = &mut member.facts {
                facts.leader_id = 0;
            }
        }
    }

    pub fn plan(&self) -> Plan {
        plan(&self.seen, &self.wanted())
    }

    pub fn step(&self) -> Step {
        self.plan().step
    }
}

fn leaving(step: Step) -> (String, LeavingReason) {
    match step {
        Step::BeginLeaving { member, leaving } => (member, leaving.reason),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_is_done_to_a_cluster_that_is_as_declared() {
    for replicas in [1, 3, 5] {
        let plan = Picture::of(replicas, replicas as i32).plan();
        assert_eq!((plan.step, plan.phase), (Step::Nothing, Phase::Running), "{}", plan.why);
    }
}

#[test]
fn the_first_member_founds_and_no_other_ever_does() {
    let mut picture = Picture::of(0, 3);
    let seed = |step| matches!(step, Step::CreateMember { seed: true, .. });
    assert!(
        matches!(picture.plan().phase, Phase::QuorumLost),
        "with an ID written down nobody founds"
    );
    picture.change(|cluster| cluster.status.as_mut().unwrap().cluster_id = None);
    assert!(seed(picture.step()));
    let mut grown = Picture::of(1, 3);
    assert_eq!(grown.step(), Step::CreateMember { serial: 1, seed: false });
    grown.seen.members[0].volume = None;
    grown.without_quorum();
    assert!(
        matches!(grown.step(), Step::Wait(_)),
        "the founder's disk is gone: nobody founds again"
    );
}

#[test]
fn a_name_that_any_volume_bears_is_not_used_again() {
    let mut picture = Picture::of(1, 3);
    picture.seen.highest_serial_of_volumes = Some(7);
    assert_eq!(picture.step(), Step::CreateMember { serial: 8, seed: false });
}

#[test]
fn a_new_member_goes_from_volume_to_learner_to_pod_to_voter() {
    let mut picture = Picture::of(2, 2);
    let fresh = picture.record(2);
    picture.change(|cluster| cluster.spec.replicas = 3);
    let mut record = fresh.clone();
    (record.spec.member_id, record.spec.volume_uid) = (None, None);
    picture.seen.members.push(Member {
        record,
        pod: None,
        volume: None,
        facts: Err(EtcdError::Unreachable("no pod".into())),
    });
    let name = || "demo-2".to_owned();
    assert_eq!(picture.step(), Step::CreateVolume { member: name() });
    let mut claim: PersistentVolumeClaim = build::volume(&picture.seen.cluster, &fresh);
    claim.metadata.uid = Some("volume-2".into());
    picture.seen.members[2].volume = Some(claim);
    let uid = "volume-2".to_owned();
    assert_eq!(
        picture.step(),
        Step::RememberVolume {
            member: name(),
            uid: uid.clone()
        }
    );
    picture.seen.members[2].record.spec.volume_uid = Some(uid);
    assert_eq!(picture.step(), Step::AddLearner { member: name() });
    let learner = RosterMember {
        id: 3,
        peer_urls: vec![fresh.spec.peer_url.clone()],
        is_learner: true,
        ..RosterMember::default()
    };
    picture.seen.roster.as_mut().unwrap().members.push(learner);
    let Step::RememberMember {
        id: 3, initial_cluster, ..
    } = picture.step()
    else {
        panic!("{:?}", picture.step());
    };
    assert_eq!(initial_cluster.split(',').count(), 3);
    assert!(initial_cluster.contains("demo-2=http://demo-2.demo-peers.shop.svc.cluster.local:2380"));
    picture.seen.members[2].record.spec.member_id = Some("3".into());
    assert_eq!(picture.step(), Step::CreatePod { member: name() });
    picture.run(2);
    picture.seen.members[2].facts.as_mut().unwrap().is_learner = true;
    let label = Step::LabelPod {
        pod: name(),
        role: "learner",
    };
    assert_eq!(picture.step(), label);
    let pod = picture.seen.members[2].pod.as_mut().unwrap();
    pod.metadata
        .labels
        .as_mut()
        .unwrap()
        .insert(taffrail_crds::ROLE.into(), "learner".into());
    assert_eq!(picture.step(), Step::Promote { member: name(), id: 3 });
}

#[test]
fn the_one_that_leaves_is_unhealthy_or_new_and_never_the_leader_if_another_can() {
    let picture = Picture::of(3, 2);
    assert_eq!(leaving(picture.step()), ("demo-2".into(), LeavingReason::ScaleIn));
    let mut sick = Picture::of(3, 2);
    sick.crash(1, 1);
    assert_eq!(leaving(sick.step()).0, "demo-1");
    let mut newest_leads = Picture::of(3, 2);
    for member in &mut newest_leads.seen.members {
        member.facts.as_mut().unwrap().leader_id = 3;
    }
    assert_eq!(leaving(newest_leads.step()).0, "demo-1");
}

#[test]
fn leadership_is_handed_over_before_a_leader_leaves() {
    let mut picture = Picture::of(3, 3);
    let plan = super::repair::leave(Phase::Scaling, &picture.seen.members[0], LeavingReason::ScaleIn, "x");
    let Step::BeginLeaving { leaving, .. } = plan.step else {
        panic!()
    };
    picture.seen.members[0].record.spec.leaving = Some(leaving);
    assert!(matches!(picture.step(), Step::MoveLeader { to: 2, .. }));
    for member in &mut picture.seen.members {
        member.facts.as_mut().unwrap().leader_id = 2;
    }
    assert!(matches!(picture.step(), Step::Remove { id: 1, .. }));
    picture.crash(2, 1);
    assert!(
        matches!(picture.step(), Step::Wait(_)),
        "two would be left, and one of them is sick"
    );
    picture.run(2);
    picture.seen.roster.as_mut().unwrap().members.remove(0);
    assert!(matches!(picture.step(), Step::DeletePod { .. }));
    picture.seen.members[0].pod = None;
    assert!(
        matches!(picture.step(), Step::DeleteVolume { .. }),
        "whenScaled is Delete by default"
    );
    picture.change(|cluster| cluster.spec.storage.retention.when_scaled = taffrail_crds::WhenGone::Retain);
    assert!(matches!(picture.step(), Step::KeepVolume { .. }));
    picture.seen.members[0].volume = None;
    assert!(matches!(picture.step(), Step::DeleteMember { .. }));
}

#[test]
fn a_pod_that_is_gone_is_made_again_and_one_that_has_ended_is_buried() {
    let mut picture = Picture::of(3, 3);
    picture.seen.members[1]
        .pod
        .as_mut()
        .unwrap()
        .status
        .as_mut()
        .unwrap()
        .phase = Some("Failed".into());
    assert!(matches!(picture.step(), Step::DeletePod { pod, .. } if pod == "demo-1"));
    picture.seen.members[1].pod = None;
    assert_eq!(
        picture.step(),
        Step::CreatePod {
            member: "demo-1".into()
        }
    );
}

#[test]
fn a_member_whose_volume_is_gone_is_replaced_at_once_if_the_others_are_a_quorum() {
    let mut picture = Picture::of(3, 3);
    picture.seen.members[2].volume = None;
    picture.crash(2, 0);
    assert_eq!(leaving(picture.step()), ("demo-2".into(), LeavingReason::DataLost));
    picture.crash(1, 0);
    assert!(
        !matches!(picture.step(), Step::BeginLeaving { .. }),
        "one of three is no quorum"
    );
}

#[test]
fn a_member_that_crashes_where_others_run_is_replaced_but_a_bad_change_is_not_blamed_on_its_data() {
    let mut picture = Picture::of(3, 3);
    picture.crash(2, 5);
    assert_eq!(leaving(picture.step()), ("demo-2".into(), LeavingReason::DataLost));
    // A bad option: the first that got it crashes, the others run what was before.
    let mut rolled = Picture::of(3, 3);
    rolled.change(|cluster| {
        cluster.spec.options.insert("nonsense".into(), "1".into());
    });
    rolled.run(1);
    rolled.crash(1, 9);
    let plan = rolled.plan();
    assert!(
        matches!(plan.step, Step::Wait(_)) && plan.why.contains("demo-1"),
        "{plan:?}"
    );
    // Taken back: the broken one is made anew at once.
    rolled.change(|cluster| cluster.spec.options.clear());
    assert!(matches!(rolled.step(), Step::DeletePod { pod, .. } if pod == "demo-1"));
}

#[test]
fn a_member_that_is_away_for_too_long_is_replaced_and_not_before() {
    let mut picture = Picture::of(3, 3);
    picture.away_since(1, "2026-01-01T00:06:00Z");
    assert_eq!(picture.step(), Step::Nothing);
    picture.away_since(1, "2026-01-01T00:05:00Z");
    assert_eq!(leaving(picture.step()), ("demo-1".into(), LeavingReason::Lost));
    picture.change(|cluster| cluster.spec.repair.replace_after_seconds = 0);
    assert_eq!(picture.step(), Step::Nothing, "0 is never");
}

#[test]
fn a_corrupt_member_goes_and_the_alarm_goes_after_it() {
    let mut picture = Picture::of(3, 3);
    let alarm = Alarm {
        member_id: 2,
        kind: AlarmKind::Corrupt,
    };
    picture.seen.alarms = vec![alarm];
    // Nobody calls itself ready then.
    for member in &mut picture.seen.members {
        member.facts.as_mut().unwrap().errors = vec!["memberID:2 alarm:CORRUPT ".into()];
        let status = member.pod.as_mut().unwrap().status.as_mut().unwrap();
        status.conditions.as_mut().unwrap()[0].status = "False".into();
    }
    assert_eq!(leaving(picture.step()), ("demo-1".into(), LeavingReason::Corrupt));
    picture.seen.members.remove(1);
    picture.seen.roster = Ok(picture.roster());
    assert_eq!(picture.step(), Step::Disarm(alarm));
}

#[test]
fn whoever_etcd_lists_and_nobody_knows_is_taken_off() {
    let mut picture = Picture::of(3, 3);
    let phantom = RosterMember {
        id: 99,
        peer_urls: vec!["http://elsewhere:2380".into()],
        ..RosterMember::default()
    };
    picture.seen.roster.as_mut().unwrap().members.push(phantom);
    assert!(matches!(picture.step(), Step::Remove { id: 99, .. }));
    picture.crash(2, 1);
    assert!(matches!(picture.step(), Step::Wait(_)) || matches!(picture.step(), Step::Remove { .. }));
}

#[test]
fn a_pod_that_only_looks_like_a_member_is_not_counted_and_stays() {
    let mut picture = Picture::of(3, 3);
    let mut copy = picture.seen.members[0].pod.clone().unwrap();
    copy.metadata.name = Some("demo-0-copy".into());
    picture.seen.strays = vec![copy];
    assert!(matches!(picture.step(), Step::DisownPod { pod } if pod == "demo-0-copy"));
    picture.seen.strays[0].metadata.deletion_timestamp = serde_json::from_value(json!(NOW)).unwrap();
    assert_eq!(picture.step(), Step::Nothing);
}

#[test]
fn records_that_were_deleted_come_back_from_their_volumes() {
    let mut picture = Picture::of(3, 3);
    let gone = picture.seen.members.remove(2);
    picture.seen.orphans = vec![gone.volume.unwrap()];
    assert!(matches!(picture.step(), Step::RecallMember { member, .. } if member == "demo-2"));
}

#[test]
fn a_roll_takes_followers_first_and_the_leader_last_after_it_handed_over() {
    let mut picture = Picture::of(3, 3);
    picture.change(|cluster| {
        cluster.spec.options.insert("heartbeat-interval".into(), "200".into());
    });
    for expected in ["demo-1", "demo-2"] {
        assert!(matches!(picture.step(), Step::DeletePod { pod, .. } if pod == expected));
        let at = if expected == "demo-1" { 1 } else { 2 };
        picture.seen.members[at].facts = Err(EtcdError::Unreachable("starting".into()));
        picture.seen.members[at].pod = None;
        assert!(matches!(picture.step(), Step::CreatePod { member } if member == expected));
        picture.run(at);
        picture.seen.members[at].facts.as_mut().unwrap().leader_id = 0;
        assert!(
            matches!(picture.step(), Step::Wait(_)),
            "the next waits until this one is healthy"
        );
        picture.run(at);
    }
    assert!(matches!(picture.step(), Step::MoveLeader { .. }));
    for member in &mut picture.seen.members {
        member.facts.as_mut().unwrap().leader_id = 2;
    }
    assert!(matches!(picture.step(), Step::DeletePod { pod, .. } if pod == "demo-0"));
    picture.run(0);
    picture.seen.members[0].facts.as_mut().unwrap().leader_id = 2;
    assert_eq!(picture.step(), Step::Nothing);
}

#[test]
fn a_single_member_is_restarted_in_place() {
    let mut picture = Picture::of(1, 1);
    picture.change(|cluster| {
        cluster.spec.options.insert("heartbeat-interval".into(), "200".into());
    });
    assert!(matches!(picture.step(), Step::DeletePod { .. }));
}

#[test]
fn an_unhealthy_member_holds_up_a_roll_unless_the_change_is_said_to_be_its_cure() {
    let mut picture = Picture::of(3, 3);
    picture.change(|cluster| {
        cluster.spec.options.insert("heartbeat-interval".into(), "200".into());
    });
    picture.crash(2, 1);
    assert!(matches!(picture.step(), Step::Wait(_)));
    picture.change(|cluster| cluster.spec.repair.at_target_version = true);
    assert!(matches!(picture.step(), Step::DeletePod { pod, .. } if pod == "demo-2"));
}

#[test]
fn versions_go_one_minor_at_a_time_and_down_only_after_etcd_was_told() {
    let versioned = |version: &str| {
        let mut picture = Picture::of(3, 3);
        picture.change(|cluster| cluster.spec.version = version.into());
        picture
    };
    assert!(matches!(versioned("3.7.0").step(), Step::DeletePod { .. }));
    for refused in ["3.8.0", "3.4.0", "4.0.0"] {
        let plan = versioned(refused).plan();
        assert_eq!(plan.phase, Phase::Invalid, "{refused}: {plan:?}");
    }
    let mut down = versioned("3.5.0");
    let told = Step::Downgrade {
        action: Downgrade::Enable,
        version: "3.5.0".into(),
    };
    assert_eq!(down.step(), told);
    down.seen.cluster_version = Some("3.5.0".into());
    assert!(matches!(down.step(), Step::DeletePod { .. }));
}

#[test]
fn another_storage_class_brings_a_new_member_before_an_old_one_goes() {
    let mut picture = Picture::of(3, 3);
    picture.change(|cluster| cluster.spec.storage.class_name = Some("fast".into()));
    assert_eq!(picture.step(), Step::CreateMember { serial: 3, seed: false });
    let mut fourth = picture.record(3);
    fourth.spec.class_name = Some("fast".into());
    picture.seen.members.push(Member {
        record: fourth,
        pod: None,
        volume: None,
        facts: Err(EtcdError::Unreachable("no".into())),
    });
    picture.run(3);
    picture.seen.roster = Ok(picture.roster());
    let (member, reason) = leaving(picture.step());
    assert_eq!(reason, LeavingReason::Replaced);
    assert_ne!(member, "demo-3");
    assert_ne!(member, "demo-0", "the leader is the last");
}

#[test]
fn volumes_grow_and_are_never_asked_to_shrink() {
    let mut picture = Picture::of(3, 3);
    picture.change(|cluster| cluster.spec.storage.size = "16Gi".into());
    assert!(matches!(picture.step(), Step::GrowVolume { size, .. } if size == "16Gi"));
    picture.change(|cluster| cluster.spec.storage.size = "1Gi".into());
    assert_eq!(picture.step(), Step::Nothing);
}

#[test]
fn zero_replicas_stop_followers_first_and_keep_everything() {
    let mut picture = Picture::of(3, 0);
    for expected in ["demo-1", "demo-2", "demo-0"] {
        let Step::DeletePod { pod, .. } = picture.step() else {
            panic!("{:?}", picture.step())
        };
        assert_eq!(pod, expected);
        let member = picture
            .seen
            .members
            .iter_mut()
            .find(|member| member.name() == pod)
            .unwrap();
        (member.pod, member.facts) = (None, Err(EtcdError::Unreachable("asleep".into())));
    }
    picture.without_quorum();
    let plan = picture.plan();
    assert_eq!((plan.step, plan.phase), (Step::Nothing, Phase::Hibernated));
    picture.change(|cluster| cluster.spec.replicas = 3);
    assert!(matches!(picture.step(), Step::CreatePod { .. }));
}

#[test]
fn nothing_is_done_while_paused() {
    let mut picture = Picture::of(3, 5);
    picture.change(|cluster| cluster.spec.paused = true);
    assert_eq!(picture.step(), Step::Nothing);
}

#[test]
fn a_lost_quorum_is_recovered_by_nobody_who_was_not_asked() {
    let mut picture = Picture::of(3, 3);
    for at in [1, 2] {
        picture.seen.members[at].volume = None;
        picture.crash(at, 0);
    }
    picture.without_quorum();
    assert!(matches!(
        picture.plan(),
        Plan {
            step: Step::Wait(_),
            phase: Phase::QuorumLost,
            ..
        }
    ));
    let annotate = |cluster: &mut EtcdCluster, pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().map(|(key, value)| (key.to_string(), value.to_string()));
        cluster.metadata.annotations = Some(pairs.collect::<BTreeMap<_, _>>());
    };
    let said = [
        (taffrail_crds::RECOVER_FROM, "demo-0"),
        (taffrail_crds::ACCEPT_DATA_LOSS, "demo"),
    ];
    picture.change(|cluster| annotate(cluster, &said));
    assert!(matches!(picture.step(), Step::Wait(_)), "not yet seen to be lost");
    let lost = json!([{"type": "QuorumLost", "status": "True", "reason": "r", "message": "m",
                       "lastTransitionTime": NOW}]);
    picture.change(|cluster| cluster.status.as_mut().unwrap().conditions = serde_json::from_value(lost).unwrap());
    assert!(matches!(picture.step(), Step::Recover(Some(recovery)) if recovery.survivor == "demo-0"));
    picture.change(|cluster| annotate(cluster, &said[..1]));
    assert!(matches!(picture.step(), Step::Wait(_)), "the loss was not accepted");
    picture.change(|cluster| cluster.spec.quorum_recovery = taffrail_crds::QuorumRecovery::Automatic);
    assert!(matches!(picture.step(), Step::Recover(Some(recovery)) if recovery.survivor == "demo-0"));
    picture.change(|cluster| cluster.spec.quorum_recovery = taffrail_crds::QuorumRecovery::Disabled);
    assert!(matches!(picture.step(), Step::Wait(_)));
}

#[test]
fn a_quorum_that_only_sleeps_is_never_recovered_by_force() {
    let mut picture = Picture::of(3, 3);
    picture.change(|cluster| cluster.spec.quorum_recovery = taffrail_crds::QuorumRecovery::Automatic);
    for at in [1, 2] {
        picture.crash(at, 9);
    }
    picture.without_quorum();
    assert!(matches!(picture.step(), Step::Wait(_)), "their volumes are there");
}

#[test]
fn pods_wait_for_their_certificates() {
    let mut picture = Picture::of(3, 3);
    picture.seen.members[1].pod = None::<Pod>;
    picture.seen.blocked_pods = Some(crate::problem::Problem::new("SecretMissing", "no Secret"));
    assert_eq!(picture.plan().phase, Phase::Invalid);
}

#[test]
fn a_new_member_that_is_getting_ready_is_not_taken_for_an_ill_one() {
    let mut picture = Picture::of(4, 3);
    picture.change(|cluster| cluster.spec.storage.class_name = Some("fast".into()));
    picture.seen.members[3].record.spec.class_name = Some("fast".into());
    picture.crash(3, 0);
    assert!(matches!(picture.step(), Step::Wait(_)), "{:?}", picture.plan());
    picture.run(3);
    assert_eq!(leaving(picture.step()).1, LeavingReason::Replaced);
}

/// demo-2 is in etcd's list as a learner and does not start.
fn with_a_learner_that_does_not_start(declared: i32) -> Picture {
    let mut picture = Picture::of(3, declared);
    picture.seen.roster.as_mut().unwrap().members[2].is_learner = true;
    picture.crash(2, 0);
    picture
}

#[test]
fn a_learner_that_does_not_start_holds_up_nothing_that_could_cure_it() {
    let mut picture = with_a_learner_that_does_not_start(3);
    assert!(matches!(picture.step(), Step::Wait(_)));
    picture.change(|cluster| cluster.spec.image = Some("one-that-is-there:1".into()));
    assert!(matches!(picture.step(), Step::DeletePod { pod, .. } if pod == "demo-2"));
    let mut undone = with_a_learner_that_does_not_start(2);
    assert_eq!(leaving(undone.step()), ("demo-2".into(), LeavingReason::ScaleIn));
    undone.change(|cluster| cluster.spec.replicas = 3);
    undone.away_since(2, "2026-01-01T00:01:00Z");
    assert_eq!(leaving(undone.step()), ("demo-2".into(), LeavingReason::Stuck));
}

#[test]
fn a_pod_that_its_node_does_not_end_is_not_waited_for_for_ever() {
    let mut picture = Picture::of(3, 3);
    let leaving = taffrail_crds::Leaving {
        reason: LeavingReason::DataLost,
        message: "x".into(),
    };
    picture.seen.members[2].record.spec.leaving = Some(leaving);
    picture.seen.roster.as_mut().unwrap().members.pop();
    let mut deleted_at = |time: &str| {
        let pod = picture.seen.members[2].pod.as_mut().unwrap();
        pod.metadata.deletion_timestamp = Some(serde_json::from_value(json!(time)).unwrap());
        picture.step()
    };
    assert!(matches!(deleted_at("2026-01-01T00:09:30Z"), Step::Wait(_)));
    assert!(matches!(deleted_at("2026-01-01T00:08:00Z"), Step::DeleteVolume { .. }));
}
