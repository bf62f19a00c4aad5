//! Changes that restart members: one at a time, followers first, the leader last and not as the leader.

use super::super::observe::{Member, Observed};
use super::super::pods;
use super::super::wanted::Wanted;
use super::leave::hand_over;
use super::quorum::Health;
use super::{Phase, Plan, Step};
use crate::etcd::Roster;

/// Its pod was made from something else than what is declared now.
pub fn is_outdated(wanted: &Wanted, member: &Member) -> bool {
    let hash = wanted.pod_hash(&member.record);
    member.pod.as_ref().is_some_and(|pod| pods::hash_of(pod) != hash)
}

pub fn restart(seen: &Observed, wanted: &Wanted) -> Option<Plan> {
    let behind = |member: &&Member| is_outdated(wanted, member) || seen.is_deaf(member);
    let outdated: Vec<&Member> = seen.members.iter().filter(behind).collect();
    if outdated.is_empty() {
        return None;
    }
    if let Some(problem) = &wanted.blocks_roll {
        return Some(Plan::stuck(
            Phase::Invalid,
            format!("{}: {}", problem.reason, problem.message),
        ));
    }
    let roster = seen.roster.as_ref().ok()?;
    let health = Health::of(seen, roster);
    if let Some(cure) = outdated.iter().find(|member| may_be_cured(seen, wanted, member)) {
        return restart_pod(cure, "it is not healthy, and the change may be its cure");
    }
    if let Some(sick) = seen.members.iter().find(|member| !member.is_healthy()) {
        let why = sick.why_unhealthy().unwrap_or_default();
        return Some(Plan::wait(
            Phase::Updating,
            format!("{} is not healthy: {why}", sick.name()),
        ));
    }
    let next = outdated
        .iter()
        .min_by_key(|member| (member.leads(), member.record.spec.serial))?;
    if next.leads()
        && health.voters > 1
        && let Some(plan) = hand_over_updated(seen, roster, next)
    {
        return Some(plan);
    }
    if !health.survives_restart(next.is_healthy()) {
        return Some(Plan::wait(
            Phase::Updating,
            format!("{} waits until the others are healthy", next.name()),
        ));
    }
    restart_pod(next, "what it runs is not what is declared")
}

/// Without a quorum a member that does not answer loses nothing by starting with what is declared now.
pub fn cure_without_quorum(seen: &Observed, wanted: &Wanted) -> Option<Plan> {
    if seen.roster.is_ok() || wanted.blocks_roll.is_some() {
        return None;
    }
    let silent = |member: &&Member| member.facts.is_err() && !member.pod.as_ref().is_some_and(pods::is_going);
    let cure = seen
        .members
        .iter()
        .filter(silent)
        .find(|member| is_outdated(wanted, member))?;
    restart_pod(cure, "it does not answer, and the change may be its cure")
}

fn hand_over_updated(seen: &Observed, roster: &Roster, leader: &Member) -> Option<Plan> {
    hand_over(seen, roster, leader).map(|plan| Plan {
        phase: Phase::Updating,
        ..plan
    })
}

/// An unhealthy member costs no quorum when it starts anew. What it runs is nobody else's: a change that failed on it
/// first, and another takes its place. Otherwise somebody must have said that the change is meant as a cure.
fn may_be_cured(seen: &Observed, wanted: &Wanted, member: &Member) -> bool {
    let Some(pod) = member
        .pod
        .as_ref()
        .filter(|pod| !member.is_healthy() && !pods::is_going(pod))
    else {
        return false;
    };
    if seen.is_deaf(member) {
        return false;
    }
    let shared = seen.members.iter().any(|other| {
        other.name() != member.name()
            && other.is_healthy()
            && other
                .pod
                .as_ref()
                .is_some_and(|one| pods::hash_of(one) == pods::hash_of(pod))
    });
    !shared || seen.cluster.spec.repair.at_target_version || wanted.replicas == 1
}

/// It starts again from what is declared now.
pub fn restart_pod(member: &Member, why: &str) -> Option<Plan> {
    let step = Step::DeletePod {
        pod: member.name().to_owned(),
        uid: member.pod.as_ref()?.metadata.uid.clone()?,
    };
    Some(Plan::new(
        Phase::Updating,
        step,
        format!("{} starts anew: {why}", member.name()),
    ))
}

impl Observed {
    fn is_deaf(&self, member: &Member) -> bool {
        self.deaf.iter().any(|name| name == member.name())
    }
}
