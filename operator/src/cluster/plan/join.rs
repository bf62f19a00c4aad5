//! What a member needs to run, and the way of a new one: record, volume, learner, pod, voter.

use super::super::observe::{Member, Observed};
use super::super::pods;
use super::super::wanted::Wanted;
use super::quorum::Health;
use super::repair::away_for_seconds;
use super::roll::{is_outdated, restart_pod};
use super::scale::must_be_replaced;
use super::{Phase, Plan, Step};
use crate::etcd::{Roster, RosterMember};

/// Volumes and pods of the members there are.
pub fn keep_running(seen: &Observed, wanted: &Wanted) -> Option<Plan> {
    let staying = || seen.members.iter().filter(|member| !member.is_leaving());
    staying()
        .find_map(|member| remember_volume(seen, member))
        .or_else(|| staying().find_map(|member| bury(seen, member)))
        .or_else(|| staying().find_map(|member| start(seen, wanted, member)))
        .or_else(|| staying().find_map(|member| label(seen, member)))
}

/// A volume is made before anything is told to etcd, and its identity is written down before anything is on it.
fn remember_volume(seen: &Observed, member: &Member) -> Option<Plan> {
    if member.record.spec.volume_uid.is_some() {
        return None;
    }
    let name = member.name().to_owned();
    let step = match &member.volume {
        None => Step::CreateVolume { member: name },
        Some(claim) => Step::RememberVolume {
            member: name,
            uid: claim.metadata.uid.clone()?,
        },
    };
    Some(Plan::new(
        phase(seen),
        step,
        format!("{} needs a volume", member.name()),
    ))
}

/// A pod that has ended does not come back by itself.
fn bury(seen: &Observed, member: &Member) -> Option<Plan> {
    let pod = member
        .pod
        .as_ref()
        .filter(|pod| pods::has_ended(pod) && !pods::is_going(pod))?;
    let step = Step::DeletePod {
        pod: member.name().to_owned(),
        uid: pod.metadata.uid.clone()?,
    };
    Some(Plan::new(
        phase(seen),
        step,
        format!("the pod of {} has ended: {}", member.name(), pods::phase(pod)),
    ))
}

fn start(seen: &Observed, wanted: &Wanted, member: &Member) -> Option<Plan> {
    let may_start = member.pod.is_none() && member.has_its_data() && is_known(seen, member);
    if !may_start || wanted.replicas == 0 {
        return None;
    }
    if let Some(problem) = &seen.blocked_pods {
        return Some(Plan::stuck(
            Phase::Invalid,
            format!("{}: {}", problem.reason, problem.message),
        ));
    }
    let step = Step::CreatePod {
        member: member.name().to_owned(),
    };
    Some(Plan::new(phase(seen), step, format!("{} has no pod", member.name())))
}

/// The founder before it founded, or a member that etcd has in its list.
fn is_known(seen: &Observed, member: &Member) -> bool {
    member.record.spec.member_id.is_some() || (member.record.spec.seed && seen.cluster_id().is_none())
}

/// Clients are sent to voters only, and only after the cluster has its name.
fn label(seen: &Observed, member: &Member) -> Option<Plan> {
    let facts = member.facts.as_ref().ok()?;
    let role = if facts.is_learner { "learner" } else { "voter" };
    let pod = member.running().filter(|pod| pods::role_of(pod) != role)?;
    seen.cluster_id()?;
    let step = Step::LabelPod {
        pod: pod.metadata.name.clone()?,
        role,
    };
    Some(Plan::new(phase(seen), step, format!("{} is a {role}", member.name())))
}

fn phase(seen: &Observed) -> Phase {
    match seen.cluster_id() {
        None => Phase::Creating,
        Some(_) if seen.roster.is_err() => Phase::Unavailable,
        Some(_) => Phase::Repairing,
    }
}

/// The one member that is not yet a voter is brought in before anything else changes.
pub fn bring_in(seen: &Observed, wanted: &Wanted) -> Option<Plan> {
    let roster = seen.roster.as_ref().ok()?;
    let staying = || seen.members.iter().filter(|member| !member.is_leaving());
    staying()
        .find_map(|member| remember(seen, roster, member))
        .or_else(|| staying().find_map(|member| promote(seen, wanted, roster, member)))
        .or_else(|| staying().find_map(|member| enlist(seen, roster, member)))
}

/// What etcd has in its list is written down, whoever put it there.
fn remember(seen: &Observed, roster: &Roster, member: &Member) -> Option<Plan> {
    let listed = roster.find(&member.record.spec.peer_url)?;
    if member.id() == Some(listed.id) {
        return None;
    }
    let step = Step::RememberMember {
        member: member.name().to_owned(),
        id: listed.id,
        initial_cluster: initial_cluster(seen, roster),
    };
    Some(Plan::new(
        Phase::Scaling,
        step,
        format!("etcd knows {} as {:x}", member.name(), listed.id),
    ))
}

/// `--initial-cluster`: everybody in the list, by the names of their records.
fn initial_cluster(seen: &Observed, roster: &Roster) -> String {
    let named = |one: &RosterMember| {
        let url = one.peer_urls.first().cloned().unwrap_or_default();
        let record = seen
            .members
            .iter()
            .find(|member| one.peer_urls.contains(&member.record.spec.peer_url));
        let name = record.map_or(one.name.clone(), |member| member.name().to_owned());
        format!("{name}={url}")
    };
    roster.members.iter().map(named).collect::<Vec<_>>().join(",")
}

fn promote(seen: &Observed, wanted: &Wanted, roster: &Roster, member: &Member) -> Option<Plan> {
    let listed = roster.find(&member.record.spec.peer_url).filter(|one| one.is_learner)?;
    if member.facts.is_err() {
        return await_learner(seen, wanted, member);
    }
    let step = Step::Promote {
        member: member.name().to_owned(),
        id: listed.id,
    };
    Some(Plan::new(
        Phase::Scaling,
        step,
        format!("{} runs as a learner", member.name()),
    ))
}

/// A learner that does not start holds up nothing that could cure it: what is declared now, or the rules after this.
fn await_learner(seen: &Observed, wanted: &Wanted, member: &Member) -> Option<Plan> {
    if is_outdated(wanted, member) && wanted.blocks_roll.is_none() && !member.pod.as_ref().is_some_and(pods::is_going) {
        return restart_pod(member, "it does not start, and the change may be its cure");
    }
    let crashes = member.pod.as_ref().is_some_and(pods::crashes_for_good);
    let patience = i64::from(seen.cluster.spec.repair.replace_after_seconds);
    let away = patience > 0 && away_for_seconds(member, seen.now).is_some_and(|seconds| seconds >= patience);
    let unwanted =
        seen.members.len() > wanted.replicas && !seen.members.iter().any(|one| must_be_replaced(wanted, one));
    if crashes || away || unwanted || !member.has_its_data() || member.wants_replacement() {
        return None;
    }
    let why = member.why_unhealthy().unwrap_or_default();
    Some(Plan::wait(
        Phase::Scaling,
        format!("the learner {} is starting: {why}", member.name()),
    ))
}

fn enlist(seen: &Observed, roster: &Roster, member: &Member) -> Option<Plan> {
    if roster.find(&member.record.spec.peer_url).is_some() || member.record.spec.member_id.is_some() {
        return None;
    }
    if let Some(learner) = roster.members.iter().find(|one| one.is_learner) {
        return Some(Plan::wait(
            Phase::Scaling,
            format!("{:x} is still a learner", learner.id),
        ));
    }
    let health = Health::of(seen, roster);
    if health.healthy < super::quorum::quorum(health.voters + 1).min(health.voters) {
        let why = format!(
            "{} of {} voters are healthy: too few to add one",
            health.healthy, health.voters
        );
        return Some(Plan::wait(Phase::Scaling, why));
    }
    let step = Step::AddLearner {
        member: member.name().to_owned(),
    };
    Some(Plan::new(
        Phase::Scaling,
        step,
        format!("{} joins as a learner", member.name()),
    ))
}

impl Roster {
    pub fn find(&self, peer_url: &str) -> Option<&RosterMember> {
        self.members
            .iter()
            .find(|one| one.peer_urls.iter().any(|url| url == peer_url))
    }
}
