//! How many there are, how many it takes.

use super::super::observe::{Member, Observed};
use super::super::pods;
use super::super::wanted::Wanted;
use super::{Phase, Plan};
use crate::etcd::Roster;

/// Voters by etcd's own list, and which of them are healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    pub voters: usize,
    pub healthy: usize,
}

impl Health {
    pub fn of(seen: &Observed, roster: &Roster) -> Self {
        let voters: Vec<u64> = roster
            .members
            .iter()
            .filter(|one| !one.is_learner)
            .map(|one| one.id)
            .collect();
        let healthy = voters
            .iter()
            .filter(|id| seen.by_id(**id).is_some_and(Member::is_healthy));
        Self {
            voters: voters.len(),
            healthy: healthy.count(),
        }
    }

    pub fn all(self) -> bool {
        self.healthy == self.voters
    }

    /// Whether a quorum of healthy voters is left after one has gone from the list.
    pub fn survives_removal(self, victim_is_healthy: bool) -> bool {
        let voters = self.voters.saturating_sub(1);
        let healthy = self.healthy - usize::from(victim_is_healthy && self.healthy > 0);
        voters > 0 && healthy >= quorum(voters)
    }

    /// Whether a quorum is left while one stands still. One or two voters cannot do without any: then all must be
    /// healthy, and there is a pause.
    pub fn survives_restart(self, victim_is_healthy: bool) -> bool {
        if !victim_is_healthy {
            return true;
        }
        match self.voters {
            0..=2 => self.all(),
            voters => self.healthy > quorum(voters),
        }
    }
}

/// The least that is more than half.
pub fn quorum(voters: usize) -> usize {
    voters / 2 + 1
}

impl Observed {
    pub fn by_id(&self, id: u64) -> Option<&Member> {
        self.members.iter().find(|member| member.id() == Some(id))
    }
}

impl Member {
    /// Its volume is the one that it was started with, or it never was. One that is being deleted is as good as gone:
    /// only the pod that still runs on it keeps it.
    pub fn has_its_data(&self) -> bool {
        match (&self.record.spec.volume_uid, &self.volume) {
            (Some(_), Some(claim)) if claim.metadata.deletion_timestamp.is_some() => false,
            (Some(written), Some(claim)) => claim.metadata.uid.as_ref() == Some(written),
            (Some(_), None) => false,
            (None, _) => true,
        }
    }

    /// Its data are gone or cannot be read.
    pub fn has_lost_its_data(&self) -> bool {
        !self.has_its_data() || self.pod.as_ref().is_some_and(pods::crashes_for_good)
    }

    pub fn was_learner(&self) -> bool {
        self.record.status.as_ref().and_then(|status| status.role.as_deref()) == Some("learner")
    }

    /// It was a voter when it was last seen, by all that is written down.
    pub fn counted(&self) -> bool {
        self.record.spec.member_id.is_some() && !self.was_learner()
    }
}

/// Without a quorum nothing of what follows can be done.
pub fn without(seen: &Observed, _: &Wanted) -> Option<Plan> {
    let error = seen.roster.as_ref().err()?;
    if seen
        .cluster
        .status
        .as_ref()
        .is_none_or(|status| status.cluster_id.is_none())
    {
        return Some(Plan::wait(
            Phase::Creating,
            format!("the first member is starting: {}", founder(seen)),
        ));
    }
    let lost = cannot_come_back(seen);
    let facts = summary(seen);
    Some(if lost {
        Plan::stuck(
            Phase::QuorumLost,
            format!("too many members have lost their data: {facts}"),
        )
    } else {
        Plan::wait(Phase::Unavailable, format!("no quorum answers ({error}): {facts}"))
    })
}

/// So many have lost their data that the rest is no quorum.
pub fn cannot_come_back(seen: &Observed) -> bool {
    let voters: Vec<&Member> = seen.members.iter().filter(|member| member.counted()).collect();
    let intact = voters.iter().filter(|member| !member.has_lost_its_data()).count();
    intact < quorum(voters.len())
}

fn founder(seen: &Observed) -> String {
    seen.members
        .first()
        .and_then(Member::why_unhealthy)
        .unwrap_or_else(|| "it is up".into())
}

fn summary(seen: &Observed) -> String {
    let of = |member: &Member| {
        let state = member.why_unhealthy().unwrap_or_else(|| "healthy".into());
        let data = if member.has_lost_its_data() { ", data lost" } else { "" };
        format!("{}: {state}{data}", member.name())
    };
    seen.members.iter().map(of).collect::<Vec<_>>().join("; ")
}
