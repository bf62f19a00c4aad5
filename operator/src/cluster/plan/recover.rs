//! After the quorum was lost for good: one member goes on alone, and a copy of its data is kept first.

use jiff::Timestamp;
use kube::ResourceExt;
use taffrail_crds::{
    ACCEPT_DATA_LOSS, ConditionType, LeavingReason, QuorumRecovery, RECOVER_FROM, RecoveryPhase, RecoveryStatus,
};

use super::super::observe::{Member, Observed};
use super::super::pods;
use super::super::wanted::Wanted;
use super::quorum::quorum;
use super::repair::leave;
use super::{Phase, Plan, Step};

/// Begins a recovery if one may begin, and goes on with one that was begun.
pub fn go_on(seen: &Observed, wanted: &Wanted) -> Option<Plan> {
    let under_way = seen.cluster.status.as_ref().and_then(|status| status.recovery.as_ref());
    match under_way.filter(|recovery| recovery.phase != RecoveryPhase::Done) {
        Some(recovery) => Some(next(seen, wanted, recovery)),
        None => start(seen, wanted),
    }
}

fn start(seen: &Observed, wanted: &Wanted) -> Option<Plan> {
    if seen.roster.is_ok() || seen.cluster_id().is_none() || wanted.replicas == 0 {
        return None;
    }
    let survivor = match seen.cluster.spec.quorum_recovery {
        QuorumRecovery::Disabled => return None,
        QuorumRecovery::Manual => named(seen)?,
        QuorumRecovery::Automatic => named(seen).or_else(|| newest(seen))?,
    };
    let recovery = RecoveryStatus {
        survivor: survivor.name().to_owned(),
        started: seen.now.to_string(),
        ..RecoveryStatus::default()
    };
    let why = format!("{} goes on alone", survivor.name());
    Some(Plan::new(Phase::Recovering, Step::Recover(Some(recovery)), why))
}

/// By a person, who also wrote the cluster's name under the loss; and not before it was seen to be lost.
fn named(seen: &Observed) -> Option<&Member> {
    let conditions = seen.cluster.status.iter().flat_map(|status| &status.conditions);
    let seen_lost = conditions
        .into_iter()
        .any(|one| one.type_ == ConditionType::QuorumLost.name() && one.status == "True");
    if !seen_lost {
        return None;
    }
    let annotations = seen.cluster.annotations();
    let accepted = annotations.get(ACCEPT_DATA_LOSS) == Some(&seen.names.cluster);
    let member = seen.member(annotations.get(RECOVER_FROM)?)?;
    (accepted && member.has_its_data() && member.record.spec.volume_uid.is_some()).then_some(member)
}

/// The one with the newest log, once there cannot be a quorum again. A member that does not answer has said when it
/// still did: status holds it.
fn newest(seen: &Observed) -> Option<&Member> {
    let counted = || seen.members.iter().filter(|member| member.counted());
    let whole = || counted().filter(|member| member.has_its_data());
    if whole().count() >= quorum(counted().count()) {
        return None;
    }
    let whole = whole().filter(|member| !member.has_lost_its_data());
    whole.max_by_key(|member| last_entry(seen, member))
}

fn last_entry(seen: &Observed, member: &Member) -> (u64, u64, std::cmp::Reverse<i64>) {
    let serial = std::cmp::Reverse(member.record.spec.serial);
    if let Ok(facts) = &member.facts {
        return (facts.raft_term, facts.raft_index, serial);
    }
    let summaries = seen.cluster.status.as_ref().map(|status| &status.members);
    let known = summaries.into_iter().flatten().find(|one| one.name == member.name());
    let number = |of: Option<i64>| of.and_then(|value| u64::try_from(value).ok()).unwrap_or(0);
    known.map_or((0, 0, serial), |one| {
        (number(one.raft_term), number(one.raft_index), serial)
    })
}

fn next(seen: &Observed, wanted: &Wanted, recovery: &RecoveryStatus) -> Plan {
    let Some(survivor) = seen.member(&recovery.survivor) else {
        let why = format!("the survivor {} has no EtcdMember any more", recovery.survivor);
        return Plan::stuck(Phase::Recovering, why);
    };
    match recovery.phase {
        RecoveryPhase::Stopping => stop(seen, recovery),
        RecoveryPhase::KeepingAside => keep_aside(seen, survivor, recovery),
        RecoveryPhase::Forcing => force(seen, wanted, survivor, recovery),
        RecoveryPhase::Restarting => restart(seen, wanted, survivor, recovery),
        RecoveryPhase::Done => Plan::wait(Phase::Recovering, "done"),
    }
}

fn stop(seen: &Observed, recovery: &RecoveryStatus) -> Plan {
    let pods = || {
        seen.members
            .iter()
            .filter_map(|member| Some((member.name(), member.pod.as_ref()?)))
    };
    if let Some((name, pod)) = pods().find(|(_, pod)| !pods::is_going(pod)) {
        let (pod, uid) = (name.to_owned(), pod.uid().unwrap_or_default());
        return Plan::new(Phase::Recovering, Step::DeletePod { pod, uid }, format!("{name} stops"));
    }
    match pods().find(|(name, _)| *name == recovery.survivor) {
        Some((name, _)) => Plan::wait(Phase::Recovering, format!("the pod of {name} is ending")),
        None => reached(
            recovery,
            RecoveryPhase::KeepingAside,
            seen.now,
            "every member has stopped",
        ),
    }
}

fn keep_aside(seen: &Observed, survivor: &Member, recovery: &RecoveryStatus) -> Plan {
    let claim = kept_name(recovery);
    let copied = seen
        .kept
        .iter()
        .any(|kept| kept.name_any() == claim && is_complete(kept));
    if copied {
        return reached(
            recovery,
            RecoveryPhase::Forcing,
            seen.now,
            "the survivor's data are kept aside",
        );
    }
    let why = format!("a copy of its data goes to {claim}");
    let survivor = survivor.name().to_owned();
    Plan::new(Phase::Recovering, Step::KeepAside { survivor, claim }, why)
}

/// Claim and pod of the copy: another recovery, even of the same member, makes another copy.
pub fn kept_name(recovery: &RecoveryStatus) -> String {
    let begun = recovery.started.parse::<Timestamp>().map_or(0, Timestamp::as_second);
    format!("kept-{}-{begun}", recovery.survivor)
}

/// The copy is whole.
pub fn is_complete(kept: &k8s_openapi::api::core::v1::PersistentVolumeClaim) -> bool {
    kept.annotations().get(taffrail_crds::KEPT).map(String::as_str) == Some("BeforeQuorumRecovery")
}

fn force(seen: &Observed, wanted: &Wanted, survivor: &Member, recovery: &RecoveryStatus) -> Plan {
    let name = survivor.name().to_owned();
    if !survivor.record.spec.force_new_cluster {
        let step = Step::Force { member: name, on: true };
        return Plan::new(
            Phase::Recovering,
            step,
            format!("{} is to go on alone", recovery.survivor),
        );
    }
    if survivor.pod.is_none() {
        return started(seen, wanted, survivor);
    }
    let alone = seen.roster.as_ref().is_ok_and(|roster| roster.members.len() == 1);
    match alone && survivor.is_healthy() {
        true => reached(
            recovery,
            RecoveryPhase::Restarting,
            seen.now,
            "the survivor serves alone",
        ),
        false => Plan::wait(
            Phase::Recovering,
            format!("{name}: {}", survivor.why_unhealthy().unwrap_or_default()),
        ),
    }
}

fn started(seen: &Observed, _: &Wanted, survivor: &Member) -> Plan {
    if let Some(problem) = &seen.blocked_pods {
        return Plan::stuck(Phase::Recovering, format!("{}: {}", problem.reason, problem.message));
    }
    let member = survivor.name().to_owned();
    let why = format!("{member} starts");
    Plan::new(Phase::Recovering, Step::CreatePod { member }, why)
}

/// The others' records go, their volumes stay; the survivor starts again as a member like any other.
fn restart(seen: &Observed, wanted: &Wanted, survivor: &Member, recovery: &RecoveryStatus) -> Plan {
    let name = survivor.name().to_owned();
    if survivor.record.spec.force_new_cluster {
        return Plan::new(
            Phase::Recovering,
            Step::Force {
                member: name,
                on: false,
            },
            "it has gone on alone",
        );
    }
    if let Some(other) = seen
        .members
        .iter()
        .find(|one| one.name() != survivor.name() && !one.is_leaving())
    {
        let message = format!("{} went on alone", recovery.survivor);
        return leave(Phase::Recovering, other, LeavingReason::QuorumRecovery, &message);
    }
    if let Some(plan) = super::leave::finish(seen, wanted) {
        return plan;
    }
    if super::is_outdated(wanted, survivor) && !survivor.pod.as_ref().is_some_and(pods::is_going) {
        let uid = survivor.pod.as_ref().and_then(|pod| pod.uid()).unwrap_or_default();
        return Plan::new(
            Phase::Recovering,
            Step::DeletePod { pod: name, uid },
            "it starts as a member like any other",
        );
    }
    if survivor.pod.is_none() {
        return started(seen, wanted, survivor);
    }
    match survivor.is_healthy() {
        true => reached(recovery, RecoveryPhase::Done, seen.now, "the survivor serves"),
        false => Plan::wait(
            Phase::Recovering,
            format!("{name}: {}", survivor.why_unhealthy().unwrap_or_default()),
        ),
    }
}

fn reached(recovery: &RecoveryStatus, phase: RecoveryPhase, now: Timestamp, why: &str) -> Plan {
    let kept = (phase >= RecoveryPhase::Forcing).then(|| kept_name(recovery));
    let recovery = RecoveryStatus {
        phase,
        kept_aside: kept,
        finished: (phase == RecoveryPhase::Done).then(|| now.to_string()),
        ..recovery.clone()
    };
    Plan::new(Phase::Recovering, Step::Recover(Some(recovery)), why)
}
