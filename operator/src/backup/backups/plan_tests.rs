use kube::ResourceExt;
use serde_json::{Value, json};
use taffrail_crds::{Artifact, BackupPhase, EtcdBackup, Verification};

use super::plan::{Plan, Seen, Step, plan};
use crate::backup::heard::Heard;
use crate::backup::request::{Outcome, REQUEST, Request};
use crate::context::Settings;
use crate::names::Names;
use crate::problem::Problem;

const MADE: &str = "2026-11-22T04:15:00Z";

fn backup(spec: Value, status: Value) -> EtcdBackup {
    let mut whole = json!({"clusterRef": {"name": "a"}, "target": {"volume": {"claimName": "shelf"}}});
    whole
        .as_object_mut()
        .unwrap()
        .extend(spec.as_object().cloned().unwrap());
    serde_json::from_value(json!({"apiVersion": "etcd.taffrail.dev/v1alpha1", "kind": "EtcdBackup",
        "metadata": {"name": "one", "namespace": "ns", "uid": "12345678-aaaa", "creationTimestamp": MADE},
        "spec": whole, "status": status}))
    .unwrap()
}

fn seen(spec: Value, status: Value) -> Seen {
    let mut cluster = crate::testing::cluster();
    let available = json!({"type": "Available", "status": "True", "reason": "x", "message": "",
        "lastTransitionTime": MADE});
    let members = json!([{"name": "a-0", "role": "leader", "healthy": true, "endpoint": "https://a-0:2379"}]);
    cluster.status = serde_json::from_value(json!({"conditions": [available], "members": members})).unwrap();
    Seen {
        names: Names::of(&cluster, "cluster.local"),
        cluster: Some(cluster),
        backup: backup(spec, status),
        now: "2026-11-22T04:16:00Z".parse().unwrap(),
        heard: Heard::default(),
        missing: None,
        refused: None,
    }
}

fn planned(seen: &Seen) -> Plan {
    let settings = Settings {
        operator_image: Some("operator:1".into()),
        ..Settings::default()
    };
    plan(seen, &settings)
}

/// The pod of this work said so, and its Job is over or not.
fn said(seen: &mut Seen, work: &str, outcome: &Outcome) {
    let failed = matches!(outcome, Outcome::Failed { .. });
    let labels = json!({"etcd.taffrail.dev/work": work, "etcd.taffrail.dev/round": "1"});
    let kind = if failed { "Failed" } else { "Complete" };
    let job = json!({"metadata": {"name": "j", "labels": labels},
        "status": {"failed": 1, "conditions": [{"type": kind, "status": "True", "reason": "Over"}]}});
    let end = json!({"exitCode": i32::from(failed), "message": serde_json::to_string(outcome).unwrap()});
    let container = json!({"name": work, "ready": false, "restartCount": 0, "image": "", "imageID": "",
        "state": {"terminated": end}});
    let pod = json!({"metadata": {"name": "p", "labels": labels}, "status": {"containerStatuses": [container]}});
    seen.heard.jobs.push(serde_json::from_value(job).unwrap());
    seen.heard.pods.push(serde_json::from_value(pod).unwrap());
}

fn artifact() -> Artifact {
    Artifact {
        key: "ns/a/manual/x.snap.zst".into(),
        etcd_version: "3.6.14".into(),
        revision: 7,
        ..Artifact::default()
    }
}

fn failure(reason: &str) -> Outcome {
    Outcome::Failed {
        reason: reason.into(),
        message: "so it is".into(),
        hopeless: false,
    }
}

fn request(step: &Step, container: usize) -> Request {
    let Step::Make(job) = step else { panic!("{step:?}") };
    let pod = job.spec.as_ref().unwrap().template.spec.as_ref().unwrap();
    let all: Vec<_> = pod.init_containers.iter().flatten().chain(&pod.containers).collect();
    let variables = all[container].env.as_ref().unwrap();
    let told = variables.iter().find(|one| one.name == REQUEST).unwrap();
    serde_json::from_str(told.value.as_deref().unwrap()).unwrap()
}

#[test]
fn a_backup_is_asked_for_with_a_key_that_follows_from_it_alone() {
    let plan = planned(&seen(json!({}), json!(null)));
    assert_eq!(plan.status.phase, BackupPhase::Running);
    let Request::Take(take) = request(&plan.step, 0) else {
        panic!("{:?}", plan.step)
    };
    assert_eq!(take.key, "ns/a/manual/20261122T041500Z-12345678");
    assert_eq!(
        (take.members[0].url.as_str(), take.origin.backup_uid.as_str()),
        ("https://a-0:2379", "12345678-aaaa")
    );
    assert_eq!(take.members[0].server_name, "a-0.a-peers.ns.svc.cluster.local");
    let Step::Make(job) = plan.step else { panic!() };
    assert_eq!(job.name_any(), "one-12345678-take-1");
}

#[test]
fn what_stands_in_the_way_is_told_and_waited_for_but_not_for_ever() {
    let mut waiting = seen(json!({}), json!(null));
    waiting.missing = Some(Problem::new("SecretMissing", "no keys"));
    let plan = planned(&waiting);
    assert_eq!(
        (plan.status.phase, plan.status.reason.as_deref()),
        (BackupPhase::Pending, Some("SecretMissing"))
    );
    assert!(matches!(plan.step, Step::Wait(_)));
    waiting.now = "2026-11-22T05:15:00Z".parse().unwrap();
    let plan = planned(&waiting);
    assert_eq!(
        (plan.status.phase, plan.status.reason.as_deref()),
        (BackupPhase::Failed, Some("SecretMissing"))
    );
    let mut nobody = seen(json!({}), json!(null));
    nobody.cluster = None;
    assert_eq!(planned(&nobody).status.reason.as_deref(), Some("ClusterMissing"));
}

#[test]
fn without_its_own_image_the_operator_says_so() {
    let told = plan(&seen(json!({}), json!(null)), &Settings::default());
    assert_eq!(told.status.reason.as_deref(), Some("NoOperatorImage"));
}

#[test]
fn what_is_refused_is_told_and_tried_again() {
    let mut refused = seen(json!({}), json!(null));
    refused.refused = Some(Problem::new("StepRefused", "jobs.batch is forbidden"));
    let plan = planned(&refused);
    assert_eq!(
        (plan.status.phase, plan.status.reason.as_deref()),
        (BackupPhase::Pending, Some("StepRefused"))
    );
    assert!(matches!(plan.step, Step::Make(_)));
}

#[test]
fn a_backup_ends_as_its_pod_says() {
    let mut good = seen(json!({}), json!({"phase": "Running"}));
    said(&mut good, "take", &Outcome::Taken { artifact: artifact() });
    let plan = planned(&good);
    assert_eq!((plan.status.phase, plan.step), (BackupPhase::Succeeded, Step::Nothing));
    assert_eq!(plan.status.artifact, Some(artifact()));
    let mut bad = seen(json!({}), json!({"phase": "Running"}));
    said(&mut bad, "take", &failure("NoSuchBucket"));
    let plan = planned(&bad);
    assert_eq!(
        (plan.status.phase, plan.status.reason.as_deref()),
        (BackupPhase::Failed, Some("NoSuchBucket"))
    );
    assert_eq!(plan.status.message.as_deref(), Some("so it is"));
}

#[test]
fn what_is_over_is_never_begun_again() {
    for phase in ["Succeeded", "Failed", "Unusable", "Expired"] {
        let plan = planned(&seen(json!({"verify": true}), json!({"phase": phase})));
        assert_eq!(plan.step, Step::Nothing, "{phase}");
        assert_eq!(serde_json::to_value(plan.status.phase).unwrap(), phase);
    }
}

fn verifying() -> Seen {
    seen(
        json!({"verify": true}),
        json!({"phase": "Verifying", "artifact": artifact(), "completedAt": MADE}),
    )
}

#[test]
fn a_backup_is_verified_by_a_member_that_nobody_else_reaches() {
    let mut stored = seen(json!({"verify": true}), json!({"phase": "Running"}));
    said(&mut stored, "take", &Outcome::Taken { artifact: artifact() });
    assert_eq!(planned(&stored).status.phase, BackupPhase::Verifying);
    let plan = planned(&verifying());
    let Request::Fetch(fetch) = request(&plan.step, 0) else {
        panic!()
    };
    assert_eq!(
        (fetch.artifact, fetch.key.as_str()),
        (Some(artifact()), "ns/a/manual/x.snap.zst")
    );
    assert!(matches!(request(&plan.step, 3), Request::Check(check) if check.url == "http://127.0.0.1:2379"));
    let Step::Make(job) = plan.step else { panic!() };
    let pod = job.spec.unwrap().template.spec.unwrap();
    let member = &pod.init_containers.unwrap()[2];
    assert_eq!(member.restart_policy.as_deref(), Some("Always"));
    let flags = member.args.clone().unwrap();
    let listens = flags.iter().filter(|flag| flag.starts_with("--listen"));
    assert!(
        listens.clone().count() == 2 && listens.clone().all(|flag| flag.contains("//127.0.0.1:")),
        "{flags:?}"
    );
    assert_eq!(pod.automount_service_account_token, Some(false));
}

#[test]
fn only_what_the_snapshot_is_to_blame_for_makes_it_unusable() {
    for (reason, phase) in [
        ("Different", BackupPhase::Unusable),
        ("ChecksumMismatch", BackupPhase::Unusable),
        ("NoRoom", BackupPhase::Succeeded),
        ("AccessDenied", BackupPhase::Succeeded),
    ] {
        let mut checked = verifying();
        said(&mut checked, "verify", &failure(reason));
        let plan = planned(&checked);
        assert_eq!(plan.status.phase, phase, "{reason}");
        let verified = plan
            .status
            .conditions
            .iter()
            .find(|one| one.type_ == "Verified")
            .unwrap();
        assert_eq!((verified.status.as_str(), verified.reason.as_str()), ("False", reason));
        assert!(plan.status.verification.unwrap().verified_at.is_none());
    }
    let mut good = verifying();
    let verification = Verification {
        verified_at: Some(MADE.into()),
        ..Verification::default()
    };
    said(&mut good, "verify", &Outcome::Checked { verification });
    let plan = planned(&good);
    assert_eq!(
        (plan.status.phase, plan.status.reason.as_deref()),
        (BackupPhase::Succeeded, Some("Verified"))
    );
}

#[test]
fn what_is_encrypted_for_others_cannot_be_verified_and_is_still_a_backup() {
    let recipients = json!({"verify": true, "encryption": {"recipients": ["age1x"]}});
    let mut stored = seen(recipients, json!({"phase": "Running"}));
    let encrypted = Artifact {
        encrypted: true,
        ..artifact()
    };
    said(&mut stored, "take", &Outcome::Taken { artifact: encrypted });
    let plan = planned(&stored);
    assert_eq!(plan.status.phase, BackupPhase::Succeeded);
    assert!(
        plan.status
            .conditions
            .iter()
            .any(|one| one.type_ == "Verified" && one.reason == "NoIdentity")
    );
}

#[test]
fn a_job_that_went_unheard_is_done_again_a_few_times() {
    let over = |round: u32| {
        let labels = json!({"etcd.taffrail.dev/work": "take", "etcd.taffrail.dev/round": round.to_string()});
        let status = json!({"conditions": [{"type": "Complete", "status": "True"}]});
        serde_json::from_value(json!({"metadata": {"name": "j", "labels": labels}, "status": status})).unwrap()
    };
    let mut unheard = seen(json!({}), json!({"phase": "Running"}));
    unheard.heard.jobs = vec![over(1)];
    let Step::Make(job) = planned(&unheard).step else {
        panic!()
    };
    assert_eq!(job.name_any(), "one-12345678-take-2");
    unheard.heard.jobs = vec![over(3)];
    assert_eq!(planned(&unheard).status.reason.as_deref(), Some("Unheard"));
}

#[test]
fn a_backup_that_was_given_up_takes_its_job_along() {
    let mut replaced = seen(json!({}), json!({"phase": "Failed", "reason": "Replaced"}));
    let job = json!({"metadata": {"name": "j", "uid": "u"}, "status": {"active": 1}});
    replaced.heard.jobs = vec![serde_json::from_value(job).unwrap()];
    assert_eq!(planned(&replaced).step, Step::Stop(vec![("j".into(), "u".into())]));
}
