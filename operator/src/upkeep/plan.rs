//! What is to be said of a defragmentation, and the one next step. Pure.

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use taffrail_crds::{
    ConditionType, DefragmentationPhase, DefragmentedMember, DefragmentingMember, EtcdDefragmentation,
    EtcdDefragmentationStatus,
};

use super::look::Picture;
use super::space::{Sizes, quota_bytes};
use crate::backup::conditions::{COMPLETE, set, stamp};
use crate::cluster::observe::{Member, Observed};
use crate::cluster::plan::{self as clusters, Health};
use crate::etcd::{AlarmKind, Endpoint, EtcdError, Roster};
use crate::problem::Problem;

/// How soon it is seen whether what stood in the way has gone.
const AGAIN: Duration = Duration::from_secs(10);
/// Seconds for which a member that is cut off again and again is tried, beside twice its own time.
const PATIENCE_SECONDS: i64 = 600;

/// Everything that a plan is made from.
pub struct Seen {
    pub task: EtcdDefragmentation,
    pub now: Timestamp,
    /// Another one of the same cluster that comes first.
    pub before: Option<String>,
    pub picture: Picture,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// It has come to its end.
    Over,
    Wait(Duration),
    /// What the status says now is enough: look again.
    GoOn,
    MoveLeader {
        from: Endpoint,
        to: u64,
        why: String,
    },
    Defragment {
        member: String,
        at: Endpoint,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Written before the step is taken.
    pub status: EtcdDefragmentationStatus,
    pub step: Step,
}

pub fn is_over(status: Option<&EtcdDefragmentationStatus>) -> bool {
    let phase = status.map(|status| status.phase);
    matches!(
        phase,
        Some(DefragmentationPhase::Succeeded | DefragmentationPhase::Failed)
    )
}

pub fn plan(seen: &Seen) -> Plan {
    let status = seen.task.status.clone().unwrap_or_default();
    if is_over(Some(&status)) {
        return Plan {
            status,
            step: Step::Over,
        };
    }
    match unhindered(seen) {
        Err(problem) => waiting(seen, status, &problem),
        Ok((cluster, roster)) => go_on(seen, cluster, roster, status),
    }
}

/// The cluster, if nothing stands in the way.
fn unhindered(seen: &Seen) -> Result<(&Observed, &Roster), Problem> {
    let name = &seen.task.spec.cluster_ref.name;
    let cluster = match &seen.picture {
        Picture::Missing => {
            let message = format!("there is no EtcdCluster {name} in this namespace");
            return Err(Problem::new("ClusterMissing", message));
        }
        Picture::Unknown => {
            return Err(Problem::new(
                "ClusterUnknown",
                format!("nobody has looked at {name} yet"),
            ));
        }
        Picture::Seen(cluster) => cluster,
    };
    if let Some(other) = &seen.before {
        return Err(Problem::new(
            "AnotherIsFirst",
            format!("EtcdDefragmentation {other} is not over yet"),
        ));
    }
    let roster = answering(cluster)?;
    match changing(cluster, roster).or_else(|| unhealthy(cluster, roster)) {
        Some(problem) => Err(problem),
        None => Ok((cluster, roster)),
    }
}

fn answering(cluster: &Observed) -> Result<&Roster, Problem> {
    if cluster.cluster.spec.paused {
        return Err(Problem::new("ClusterPaused", "spec.paused of the EtcdCluster is true"));
    }
    if cluster.cluster.spec.replicas == 0 {
        return Err(Problem::new(
            "ClusterHibernated",
            "spec.replicas of the EtcdCluster is 0",
        ));
    }
    let roster = cluster.roster.as_ref();
    roster.map_err(|error| Problem::new("NoQuorum", format!("no quorum answers: {error}")))
}

/// Its own reconciliation has something to do, or is behind what is declared.
fn changing(cluster: &Observed, roster: &Roster) -> Option<Problem> {
    let object = &cluster.cluster;
    let status = object.status.clone().unwrap_or_default();
    let holds = |kind: ConditionType| {
        let mut all = status.conditions.iter();
        all.any(|one| one.type_ == kind.name() && one.status == "True")
    };
    let doing = status.doing.clone().unwrap_or_else(|| "it changes".into());
    if status.observed_generation != object.metadata.generation {
        return Some(Problem::new("ClusterIsChanging", "what is declared has changed"));
    }
    if holds(ConditionType::Progressing) || holds(ConditionType::QuorumLost) || status.upgrade.is_some() {
        return Some(Problem::new("ClusterIsChanging", doing));
    }
    let known = |id: u64| cluster.by_id(id).is_some();
    let moving = roster.members.iter().any(|one| one.is_learner || !known(one.id));
    let leaving = cluster.members.iter().any(Member::is_leaving) || roster.members.len() != cluster.members.len();
    (moving || leaving).then(|| Problem::new("ClusterIsChanging", "a member comes or goes"))
}

fn unhealthy(cluster: &Observed, roster: &Roster) -> Option<Problem> {
    if cluster.alarms.iter().any(|alarm| alarm.kind == AlarmKind::Corrupt) {
        return Some(Problem::new("MemberCorrupt", "a member's data differ from the others'"));
    }
    let sick = cluster
        .members
        .iter()
        .find_map(|member| Some(format!("{}: {}", member.name(), member.why_unhealthy()?)));
    if let Some(sick) = sick {
        return Some(Problem::new("MemberUnhealthy", sick));
    }
    let leaderless = cluster.leader().is_none();
    let safe = Health::of(cluster, roster).survives_restart(true);
    (leaderless || !safe).then(|| Problem::new("QuorumAtRisk", "too few members could do without one of them"))
}

fn waiting(seen: &Seen, mut status: EtcdDefragmentationStatus, problem: &Problem) -> Plan {
    tell(seen, &mut status, problem.reason, &problem.message);
    Plan {
        status,
        step: Step::Wait(AGAIN),
    }
}

fn tell(seen: &Seen, status: &mut EtcdDefragmentationStatus, reason: &str, message: &str) {
    status.reason = Some(reason.into());
    status.message = Some(message.into());
    let done = status.phase == DefragmentationPhase::Succeeded;
    let at = (seen.now, seen.task.metadata.generation);
    set(&mut status.conditions, COMPLETE, done, (reason, message), at);
}

fn go_on(seen: &Seen, cluster: &Observed, roster: &Roster, mut status: EtcdDefragmentationStatus) -> Plan {
    status.phase = DefragmentationPhase::Running;
    status.started_at.get_or_insert_with(|| stamp(seen.now));
    if let Some(current) = status.current.clone() {
        return match cluster.member(&current.name) {
            Some(member) => defragment(seen, cluster, roster, status, member),
            None => left(seen, status, &current),
        };
    }
    for member in order(cluster) {
        if status.members.iter().any(|one| one.name == member.name()) {
            continue;
        }
        match not_worth_it(seen, cluster, member) {
            Some(skipped) => status.members.push(skipped),
            None => return begin(seen, cluster, roster, status, member),
        }
    }
    succeeded(seen, status)
}

/// The leader is the last; the others come by their numbers.
fn order(cluster: &Observed) -> Vec<&Member> {
    let mut all: Vec<&Member> = cluster.members.iter().collect();
    all.sort_by_key(|member| (member.leads(), member.record.spec.serial));
    all
}

fn not_worth_it(seen: &Seen, cluster: &Observed, member: &Member) -> Option<DefragmentedMember> {
    let sizes = Sizes::of(member.facts.as_ref().ok()?);
    let thresholds = seen.task.spec.only_if.as_ref()?;
    let skipped = sizes.falls_short(thresholds, quota_bytes(&cluster.cluster.spec))?;
    Some(DefragmentedMember {
        name: member.name().into(),
        before_bytes: sizes.allocated,
        after_bytes: sizes.allocated,
        skipped: Some(skipped),
        ..DefragmentedMember::default()
    })
}

fn begin(
    seen: &Seen,
    cluster: &Observed,
    roster: &Roster,
    mut status: EtcdDefragmentationStatus,
    member: &Member,
) -> Plan {
    if let Some(step) = hand_over(cluster, roster, member) {
        tell(
            seen,
            &mut status,
            "MovingLeader",
            &format!("{} leads, and is the last", member.name()),
        );
        return Plan { status, step };
    }
    status.current = Some(DefragmentingMember {
        name: member.name().into(),
        before_bytes: member.facts.as_ref().map_or(0, |facts| facts.db_size_bytes),
        started_at: stamp(seen.now),
    });
    tell(seen, &mut status, "Defragmenting", member.name());
    Plan {
        status,
        step: Step::GoOn,
    }
}

/// It was written down before. It may have been done by who died over it: done twice it does no harm.
fn defragment(
    seen: &Seen,
    cluster: &Observed,
    roster: &Roster,
    mut status: EtcdDefragmentationStatus,
    member: &Member,
) -> Plan {
    if let Some(step) = hand_over(cluster, roster, member) {
        return Plan { status, step };
    }
    let Some(at) = cluster.endpoint(member) else {
        return waiting(seen, status, &Problem::new("MemberUnhealthy", "it has no address"));
    };
    tell(seen, &mut status, "Defragmenting", member.name());
    let member = member.name().into();
    Plan {
        status,
        step: Step::Defragment { member, at },
    }
}

/// Clients of a leader that stands still wait for it; it leads no more before it does. One that is alone has to.
fn hand_over(cluster: &Observed, roster: &Roster, member: &Member) -> Option<Step> {
    if !member.leads() {
        return None;
    }
    let plan = clusters::hand_over(cluster, roster, member)?;
    match plan.step {
        clusters::Step::MoveLeader { from, to } => Some(Step::MoveLeader {
            from,
            to,
            why: plan.why,
        }),
        _ => None,
    }
}

fn left(seen: &Seen, mut status: EtcdDefragmentationStatus, current: &DefragmentingMember) -> Plan {
    status.current = None;
    status.members.push(DefragmentedMember {
        name: current.name.clone(),
        before_bytes: current.before_bytes,
        after_bytes: current.before_bytes,
        skipped: Some("it has left the cluster".into()),
        ..DefragmentedMember::default()
    });
    tell(seen, &mut status, "MemberLeft", &current.name);
    Plan {
        status,
        step: Step::GoOn,
    }
}

fn succeeded(seen: &Seen, mut status: EtcdDefragmentationStatus) -> Plan {
    status.phase = DefragmentationPhase::Succeeded;
    status.completed_at = Some(stamp(seen.now));
    let skipped = status.members.iter().filter(|one| one.skipped.is_some()).count();
    let message = format!(
        "{} bytes were given back by {} members; {skipped} were left out",
        status.reclaimed_bytes,
        status.members.len() - skipped
    );
    tell(seen, &mut status, "Defragmented", &message);
    Plan {
        status,
        step: Step::Over,
    }
}

/// What a member came to: its bytes after it, or why not.
pub struct Outcome {
    pub began: Timestamp,
    pub ended: Timestamp,
    pub after_bytes: Result<i64, EtcdError>,
}

/// The status after a member was asked. None: it is asked again once it answers.
pub fn after(seen: &Seen, planned: &EtcdDefragmentationStatus, outcome: Outcome) -> Option<EtcdDefragmentationStatus> {
    let Outcome {
        began,
        ended,
        after_bytes,
    } = outcome;
    let mut status = planned.clone();
    let current = status.current.take()?;
    let took_seconds = ended.as_second() - began.as_second();
    let mut member = DefragmentedMember {
        name: current.name.clone(),
        before_bytes: current.before_bytes,
        after_bytes: current.before_bytes,
        took_seconds,
        ..DefragmentedMember::default()
    };
    match after_bytes {
        Ok(bytes) => {
            member.after_bytes = bytes;
            status.reclaimed_bytes += (current.before_bytes - bytes).max(0);
            status.members.push(member);
        }
        Err(error) if passes(&error) && !gives_up(seen, &current, ended) => return None,
        Err(error) => {
            let message = format!("{}: {error}", current.name);
            member.error = Some(error.to_string());
            status.members.push(member);
            status.phase = DefragmentationPhase::Failed;
            status.completed_at = Some(stamp(ended));
            tell(seen, &mut status, "MemberFailed", &message);
        }
    }
    Some(status)
}

/// The connection was lost, or the member has just lost its leader.
fn passes(error: &EtcdError) -> bool {
    matches!(
        error,
        EtcdError::Unreachable(_) | EtcdError::NoQuorum(_) | EtcdError::Tls(_)
    )
}

fn gives_up(seen: &Seen, current: &DefragmentingMember, now: Timestamp) -> bool {
    let since = current.started_at.parse().unwrap_or(now);
    now.as_second() - since.as_second() > PATIENCE_SECONDS + 2 * seen.task.spec.timeout_seconds
}

/// Of those that are not over, who has begun is the first, then the oldest; of two of one age the one whose name is.
pub fn first_of<'a>(all: &'a [EtcdDefragmentation], cluster: &str) -> Option<&'a EtcdDefragmentation> {
    let open = all
        .iter()
        .filter(|one| one.spec.cluster_ref.name == cluster && !is_over(one.status.as_ref()))
        .filter(|one| one.metadata.deletion_timestamp.is_none());
    let idle = |one: &EtcdDefragmentation| one.status.as_ref().is_none_or(|status| status.current.is_none());
    open.min_by_key(|one| (idle(one), one.creation_timestamp(), one.name_any()))
}
