//! The way out: leadership goes first, then the place in etcd's list, then the pod, the volume and the record.

use kube::ResourceExt;
use taffrail_crds::{Leaving, LeavingReason, WhenGone};

use super::super::observe::{Member, Observed};
use super::super::pods;
use super::super::wanted::Wanted;
use super::quorum::Health;
use super::{Phase, Plan, Step};
use crate::etcd::Roster;

/// Seconds after which a pod whose time to end is over is not waited for.
const OVERDUE_SECONDS: i64 = 60;

/// A leave that was begun is finished before anything else.
pub fn finish(seen: &Observed, _: &Wanted) -> Option<Plan> {
    let member = seen.members.iter().find(|member| member.is_leaving())?;
    let leaving = member.record.spec.leaving.as_ref()?;
    if is_kept(leaving) || was_never_listed(seen, member) {
        return Some(clear(seen, member, leaving));
    }
    let Ok(roster) = &seen.roster else {
        // Without a quorum it stays in the list: others come first, and so do their pods.
        return None;
    };
    let listed = roster.find(&member.record.spec.peer_url).map(|one| one.id);
    Some(match listed {
        Some(id) => take_off(seen, roster, member, id, leaving),
        None => clear(seen, member, leaving),
    })
}

/// What may be the only copy of somebody's truth stays, whatever is declared; and there is no list to take it off.
fn is_kept(leaving: &Leaving) -> bool {
    matches!(leaving.reason, LeavingReason::QuorumRecovery | LeavingReason::RolledBack)
}

/// A founder that was lost before the cluster had a name.
fn was_never_listed(seen: &Observed, member: &Member) -> bool {
    member.record.spec.seed && seen.cluster_id().is_none()
}

fn take_off(seen: &Observed, roster: &Roster, member: &Member, id: u64, leaving: &Leaving) -> Plan {
    if member.leads()
        && let Some(plan) = hand_over(seen, roster, member)
    {
        return plan;
    }
    let is_voter = roster.members.iter().any(|one| one.id == id && !one.is_learner);
    let health = Health::of(seen, roster);
    if is_voter && !health.survives_removal(member.is_healthy()) {
        let why = format!(
            "{} stays until enough others are healthy to do without it",
            member.name()
        );
        return Plan::wait(phase(leaving), why);
    }
    let step = Step::Remove {
        id,
        member: member.name().to_owned(),
    };
    Plan::new(
        phase(leaving),
        step,
        format!("{} leaves: {}", member.name(), leaving.message),
    )
}

/// Leadership goes to a healthy voter that stays.
pub fn hand_over(seen: &Observed, roster: &Roster, leader: &Member) -> Option<Plan> {
    let voters = roster.members.iter().filter(|one| !one.is_learner);
    let fit = voters
        .filter_map(|one| seen.by_id(one.id))
        .filter(|other| other.name() != leader.name() && other.is_healthy() && !other.is_leaving());
    let next = fit.max_by_key(|other| (!other.wants_replacement(), std::cmp::Reverse(other.record.spec.serial)))?;
    let step = Step::MoveLeader {
        from: seen.endpoint(leader)?,
        to: next.id()?,
    };
    let why = format!("leadership goes from {} to {}", leader.name(), next.name());
    Some(Plan::new(Phase::Updating, step, why))
}

/// Off the list: now its pod, its volume and its record.
fn clear(seen: &Observed, member: &Member, leaving: &Leaving) -> Plan {
    let name = member.name().to_owned();
    if let Some(pod) = member.pod.as_ref().filter(|pod| !pods::is_going(pod)) {
        let uid = pod.uid().unwrap_or_default();
        return Plan::new(
            phase(leaving),
            Step::DeletePod { pod: name, uid },
            format!("{} has left", member.name()),
        );
    }
    if member.pod.is_some() && leaving.reason != LeavingReason::Lost && !is_overdue(seen, member) {
        return Plan::wait(phase(leaving), format!("the pod of {} is ending", member.name()));
    }
    if let Some(claim) = member
        .volume
        .as_ref()
        .filter(|claim| claim.metadata.deletion_timestamp.is_none())
    {
        return Plan::new(
            phase(leaving),
            dispose(seen, claim, leaving),
            format!("{} has left", member.name()),
        );
    }
    Plan::new(
        phase(leaving),
        Step::DeleteMember { member: name },
        format!("{} has left", member.name()),
    )
}

/// Its node should have ended it long ago: nobody there listens. Kubernetes keeps the volume until the pod has gone.
fn is_overdue(seen: &Observed, member: &Member) -> bool {
    let deleted = member
        .pod
        .as_ref()
        .and_then(|pod| pod.metadata.deletion_timestamp.as_ref());
    deleted.is_some_and(|at| seen.now.as_second() > at.0.as_second() + OVERDUE_SECONDS)
}

fn dispose(seen: &Observed, claim: &k8s_openapi::api::core::v1::PersistentVolumeClaim, leaving: &Leaving) -> Step {
    let retention = seen.cluster.spec.storage.retention.when_scaled;
    let delete = retention == WhenGone::Delete && !is_kept(leaving);
    if delete {
        Step::DeleteVolume {
            claim: claim.name_any(),
            uid: claim.uid().unwrap_or_default(),
        }
    } else {
        Step::KeepVolume {
            claim: claim.name_any(),
            reason: format!("{:?}", leaving.reason),
        }
    }
}

fn phase(leaving: &Leaving) -> Phase {
    match leaving.reason {
        LeavingReason::ScaleIn => Phase::Scaling,
        LeavingReason::Replaced => Phase::Updating,
        LeavingReason::QuorumRecovery => Phase::Recovering,
        LeavingReason::RolledBack => Phase::Restoring,
        _ => Phase::Repairing,
    }
}
