//! How a cluster that has reached its quota is healed. Pure.
//!
//! In a stock etcd the alarm stays until somebody takes it back; a Taffrail takes it back by itself once there is room.
//! What makes room is the same for both, and an alarm that is taken back twice is taken back.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use taffrail_crds::{EtcdCluster, EtcdDefragmentation};

use super::plan::is_over;
use super::policy::{is_of, task};
use super::space::{Sizes, quota_bytes};
use crate::cluster::observe::Observed;
use crate::etcd::{Alarm, AlarmKind, MemberFacts};

/// Revisions that are left to clients that watch or read the past.
const REVISIONS_KEPT: i64 = 1000;
/// Members are not defragmented again sooner: it would give back nothing new.
const BETWEEN: SignedDuration = SignedDuration::from_mins(10);
/// Value of the label that says why it was made.
pub const NOSPACE: &str = "nospace";

/// The next thing that brings room.
#[derive(Clone, Debug, PartialEq)]
pub enum Remedy {
    /// There is no such alarm.
    None,
    /// A member does not answer, or defragmentation is under way.
    Wait,
    /// History before this revision goes.
    Compact(i64),
    Defragment(Box<EtcdDefragmentation>),
    Disarm(Alarm),
    /// The data really are that large: a person has to choose.
    Full,
}

/// `all`: defragmentations of this cluster. `compacted`: what could be compacted has just been.
pub fn remedy(seen: &Observed, all: &[EtcdDefragmentation], compacted: bool) -> Remedy {
    let Some(alarm) = seen.alarms.iter().find(|alarm| alarm.kind == AlarmKind::NoSpace) else {
        return Remedy::None;
    };
    let facts: Option<Vec<&MemberFacts>> = seen.members.iter().map(|member| member.facts.as_ref().ok()).collect();
    let Some(facts) = facts.filter(|_| seen.roster.is_ok()) else {
        return Remedy::Wait;
    };
    let quota = quota_bytes(&seen.cluster.spec);
    let sizes: Vec<Sizes> = facts.iter().map(|one| Sizes::of(one)).collect();
    if sizes.iter().all(|one| !one.is_full(quota)) {
        return Remedy::Disarm(*alarm);
    }
    if all.iter().any(|one| !is_over(one.status.as_ref())) {
        return Remedy::Wait;
    }
    let much = sizes.iter().any(|one| one.is_much(quota));
    match (much, compactable(&facts).filter(|_| !compacted)) {
        (true, Some(revision)) => Remedy::Compact(revision),
        (true, None) => Remedy::Full,
        (false, _) => defragment(&seen.cluster, all, seen.now),
    }
}

fn compactable(facts: &[&MemberFacts]) -> Option<i64> {
    let newest = facts.iter().map(|one| one.revision).max()?;
    Some(newest - REVISIONS_KEPT).filter(|revision| *revision > 0)
}

fn defragment(cluster: &EtcdCluster, all: &[EtcdDefragmentation], now: Timestamp) -> Remedy {
    let born = |one: &EtcdDefragmentation| one.creation_timestamp().map(|time| time.0);
    let last = all.iter().filter(|one| is_of(one, NOSPACE)).filter_map(born).max();
    match last {
        Some(last) if now.duration_since(last) < BETWEEN => Remedy::Wait,
        _ => Remedy::Defragment(Box::new(task(cluster, NOSPACE, now, None))),
    }
}
