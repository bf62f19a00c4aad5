//! Members that do not come back by themselves.

use jiff::Timestamp;
use kube::ResourceExt;
use taffrail_crds::{Leaving, LeavingReason, REPLACE};

use super::super::observe::{Member, Observed};
use super::super::pods;
use super::super::wanted::Wanted;
use super::quorum::Health;
use super::roll::is_outdated;
use super::{Phase, Plan, Step};
use crate::etcd::{AlarmKind, Roster};

/// The data of a member differ from the others': it goes at once. The alarm goes with the last that bears it.
pub fn corrupt_alarms(seen: &Observed, _: &Wanted) -> Option<Plan> {
    let roster = seen.roster.as_ref().ok()?;
    let alarm = seen.alarms.iter().find(|alarm| alarm.kind == AlarmKind::Corrupt)?;
    if roster.members.iter().all(|one| one.id != alarm.member_id) {
        return Some(Plan::new(
            Phase::Repairing,
            Step::Disarm(*alarm),
            "the member that was corrupt has gone",
        ));
    }
    let member = seen.by_id(alarm.member_id)?;
    let message = "etcd found its data to differ from the others'";
    begin(seen, roster, member, LeavingReason::Corrupt, message).or_else(|| {
        let why = format!(
            "{} is corrupt, and too few others are healthy to do without it",
            member.name()
        );
        Some(Plan::stuck(Phase::Repairing, why))
    })
}

/// One member at a time, and only if a quorum is left without it.
pub fn give_up(seen: &Observed, wanted: &Wanted) -> Option<Plan> {
    let roster = seen.roster.as_ref().ok()?;
    let staying = || seen.members.iter().filter(|member| !member.is_leaving());
    staying().find_map(|member| {
        let (reason, message) = hopeless(seen, wanted, roster, member)?;
        begin(seen, roster, member, reason, &message)
    })
}

fn hopeless(seen: &Observed, wanted: &Wanted, roster: &Roster, member: &Member) -> Option<(LeavingReason, String)> {
    let listed = roster.find(&member.record.spec.peer_url);
    if member.record.spec.member_id.is_some() && listed.is_none() {
        return Some((
            LeavingReason::Stuck,
            "somebody took it off etcd's list of members".into(),
        ));
    }
    if !member.has_its_data() {
        return Some((LeavingReason::DataLost, "its volume claim has been deleted".into()));
    }
    if member.is_healthy() {
        return None;
    }
    if crashes_on_its_data(seen, wanted, member) {
        return Some((
            LeavingReason::DataLost,
            "it crashes again and again where others run".into(),
        ));
    }
    let away = away_for_seconds(member, seen.now)?;
    let patience = i64::from(seen.cluster.spec.repair.replace_after_seconds);
    let learner = listed.is_some_and(|one| one.is_learner);
    let reason = if learner {
        LeavingReason::Stuck
    } else {
        LeavingReason::Lost
    };
    let blamed = !is_outdated(wanted, member) && !waits_for_pull(member);
    (patience > 0 && away >= patience && blamed).then(|| (reason, format!("it has been away for {away} s")))
}

/// An image that cannot be pulled is not there for a new member either.
fn waits_for_pull(member: &Member) -> bool {
    let why = member.why_unhealthy().unwrap_or_default();
    [
        "ImagePull",
        "ErrImage",
        "InvalidImageName",
        "CreateContainerConfigError",
    ]
    .iter()
    .any(|word| why.contains(word))
}

/// What it runs also runs elsewhere, so it is not what was declared that makes it crash.
fn crashes_on_its_data(seen: &Observed, wanted: &Wanted, member: &Member) -> bool {
    let Some(pod) = member.pod.as_ref().filter(|pod| pods::crashes_for_good(pod)) else {
        return false;
    };
    let runs_elsewhere = |other: &&Member| {
        other.name() != member.name()
            && other.is_healthy()
            && other
                .pod
                .as_ref()
                .is_some_and(|running| pods::hash_of(running) == pods::hash_of(pod))
    };
    !is_outdated(wanted, member) && seen.members.iter().any(|other| runs_elsewhere(&other))
}

/// Seconds since it was last healthy, as written down.
pub fn away_for_seconds(member: &Member, now: Timestamp) -> Option<i64> {
    let since = member.record.status.as_ref()?.unhealthy_since.as_ref()?;
    let since: Timestamp = since.parse().ok()?;
    Some(now.as_second() - since.as_second())
}

fn begin(seen: &Observed, roster: &Roster, member: &Member, reason: LeavingReason, message: &str) -> Option<Plan> {
    let is_voter = roster
        .find(&member.record.spec.peer_url)
        .is_some_and(|one| !one.is_learner);
    if is_voter && !Health::of(seen, roster).survives_removal(member.is_healthy()) {
        return None;
    }
    Some(leave(Phase::Repairing, member, reason, message))
}

/// Written down before etcd is told.
pub fn leave(phase: Phase, member: &Member, reason: LeavingReason, message: &str) -> Plan {
    let leaving = Leaving {
        reason,
        message: message.into(),
    };
    let why = format!("{} leaves: {message}", member.name());
    let step = Step::BeginLeaving {
        member: member.name().to_owned(),
        leaving,
    };
    Plan::new(phase, step, why)
}

/// In etcd's list, and nobody here knows it: somebody added it by hand, or its record and its volume were deleted.
pub fn phantoms(seen: &Observed, _: &Wanted) -> Option<Plan> {
    let roster = seen.roster.as_ref().ok()?;
    let unknown = roster.members.iter().find(|one| {
        let known = |member: &Member| one.peer_urls.contains(&member.record.spec.peer_url);
        !seen.members.iter().any(known)
    })?;
    if !unknown.is_learner && !Health::of(seen, roster).survives_removal(false) {
        let why = format!(
            "etcd lists {:x}, which has no EtcdMember, and too few others are healthy",
            unknown.id
        );
        return Some(Plan::stuck(Phase::Repairing, why));
    }
    let step = Step::Remove {
        id: unknown.id,
        member: unknown.name.clone(),
    };
    let why = format!(
        "etcd lists {:x} ({}), which has no EtcdMember",
        unknown.id, unknown.name
    );
    Some(Plan::new(Phase::Repairing, step, why))
}

impl Member {
    /// Somebody asked for a new one in its place.
    pub fn wants_replacement(&self) -> bool {
        self.record.annotations().contains_key(REPLACE)
    }
}
