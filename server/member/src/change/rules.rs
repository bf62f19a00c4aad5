//! May the membership be changed so? etcd's rules in etcd's order (server.go, api/membership/cluster.go).

use std::collections::BTreeMap;
use std::time::Duration;

use taffrail_consensus::MemberChange;

use crate::{MemberError, MemberInfo, MembershipRules};

/// Members that came into touch more recently do not count as healthy (etcd server.go, HealthInterval).
const HEALTHY_AFTER: Duration = Duration::from_secs(5);
/// How much of the leader's log a learner must hold before it may vote.
const READY_PERCENT: u64 = 90;

/// The cluster as its leader sees it.
pub(super) struct Roster {
    pub rules: MembershipRules,
    pub own: u64,
    pub members: Vec<MemberInfo>,
    pub in_touch: BTreeMap<u64, Duration>,
    /// How far each follower's log reaches.
    pub matched: BTreeMap<u64, u64>,
    pub last_index: u64,
}

impl Roster {
    pub fn check(&self, change: &MemberChange) -> Result<(), MemberError> {
        match change {
            MemberChange::Add { id, peer } => self.may_add(*id, &peer.peer_urls, peer.learner),
            MemberChange::Promote { id } => self.may_promote(*id),
            MemberChange::Remove { id } => self.may_remove(*id),
            MemberChange::Update { id, peer_urls } => self.may_update(*id, peer_urls),
        }
    }

    fn may_add(&self, id: u64, peer_urls: &[String], learner: bool) -> Result<(), MemberError> {
        if self.rules.strict {
            demand(
                learner || self.would_have_quorum_with(0, 1),
                MemberError::NotEnoughStarted,
            )?;
            demand(self.is_healthy_for_one_more(), MemberError::Unhealthy)?;
        }
        demand(self.find(id).is_err(), MemberError::Exists(id))?;
        demand(!self.is_taken(peer_urls, None), MemberError::PeerUrlExists)?;
        let learners = self.members.iter().filter(|member| member.is_learner).count();
        demand(
            !learner || learners < self.rules.learners_max,
            MemberError::TooManyLearners,
        )
    }

    fn may_promote(&self, id: u64) -> Result<(), MemberError> {
        demand(self.find(id)?.is_learner, MemberError::NotLearner)?;
        let matched = self.matched.get(&id).copied().unwrap_or(0);
        demand(
            matched.saturating_mul(100) >= self.last_index.saturating_mul(READY_PERCENT),
            MemberError::LearnerNotReady,
        )?;
        // The learner counts as started, because it keeps up.
        demand(
            !self.rules.strict || self.would_have_quorum_with(1, 1),
            MemberError::NotEnoughStarted,
        )
    }

    fn may_remove(&self, id: u64) -> Result<(), MemberError> {
        let found = self.find(id);
        let votes = !found.as_ref().is_ok_and(|member| member.is_learner);
        if self.rules.strict && votes {
            demand(self.would_have_quorum_without(id), MemberError::NotEnoughStarted)?;
            let is_down = id != self.own && !self.in_touch.contains_key(&id);
            demand(is_down || self.is_healthy_for_one_less(), MemberError::Unhealthy)?;
        }
        found.map(drop)
    }

    fn may_update(&self, id: u64, peer_urls: &[String]) -> Result<(), MemberError> {
        self.find(id)?;
        demand(!self.is_taken(peer_urls, Some(id)), MemberError::PeerUrlExists)
    }

    fn find(&self, id: u64) -> Result<&MemberInfo, MemberError> {
        let found = self.members.iter().find(|member| member.id == id);
        found.ok_or(MemberError::NotFound(id))
    }

    /// By anyone but `except`.
    fn is_taken(&self, peer_urls: &[String], except: Option<u64>) -> bool {
        let others = self.members.iter().filter(|member| Some(member.id) != except);
        others
            .flat_map(|member| &member.peer_urls)
            .any(|url| peer_urls.contains(url))
    }

    fn voters(&self) -> impl Iterator<Item = &MemberInfo> {
        self.members.iter().filter(|member| !member.is_learner)
    }

    /// A second member may always be added to a single one that runs: there is no other way to grow.
    fn would_have_quorum_with(&self, more_started: usize, more_voters: usize) -> bool {
        let started = self.voters().filter(|member| member.is_started()).count();
        let voters = self.voters().count() + more_voters;
        (started == 1 && voters == 2) || started + more_started >= quorum(voters)
    }

    fn would_have_quorum_without(&self, id: u64) -> bool {
        let rest = || self.voters().filter(|member| member.id != id);
        rest().filter(|member| member.is_started()).count() >= quorum(rest().count())
    }

    fn is_healthy_for_one_more(&self) -> bool {
        let voters = self.voters().count();
        voters == 1 || self.healthy() >= quorum(voters + 1)
    }

    fn is_healthy_for_one_less(&self) -> bool {
        self.healthy() > quorum(self.voters().count().saturating_sub(1))
    }

    /// Voters in touch for long enough, this member included.
    fn healthy(&self) -> usize {
        let is_healthy = |id: &u64| self.in_touch.get(id).is_some_and(|touch| *touch > HEALTHY_AFTER);
        let healthy = self
            .voters()
            .filter(|member| member.id == self.own || is_healthy(&member.id));
        healthy.count()
    }
}

fn quorum(voters: usize) -> usize {
    voters / 2 + 1
}

fn demand(holds: bool, or: MemberError) -> Result<(), MemberError> {
    if holds { Ok(()) } else { Err(or) }
}

#[cfg(test)]
mod tests {
    use taffrail_consensus::Peer;

    use super::*;

    /// Members 1, 2, ... as a row of signs: `V` votes, `v` votes and has not started, `L` learns.
    fn roster(signs: &str) -> Roster {
        let members = signs.chars().zip(1..).map(|(sign, id)| MemberInfo {
            id,
            name: if sign == 'v' { String::new() } else { format!("m{id}") },
            peer_urls: vec![url(id)],
            client_urls: Vec::new(),
            is_learner: sign == 'L',
        });
        let members: Vec<MemberInfo> = members.collect();
        let others = || members.iter().map(|member| member.id).filter(|id| *id != 1);
        Roster {
            rules: MembershipRules::default(),
            own: 1,
            in_touch: others().map(|id| (id, Duration::from_secs(60))).collect(),
            matched: others().map(|id| (id, 1000)).collect(),
            last_index: 1000,
            members,
        }
    }

    fn url(id: u64) -> String {
        format!("http://m{id}:2380")
    }

    fn add(id: u64, learner: bool) -> MemberChange {
        let peer_urls = vec![url(id)];
        MemberChange::Add {
            id,
            peer: Peer { peer_urls, learner },
        }
    }

    fn without_touch(signs: &str, silent: &[u64]) -> Roster {
        let mut roster = roster(signs);
        roster.in_touch.retain(|id, _| !silent.contains(id));
        roster
    }

    fn lax(mut roster: Roster) -> Roster {
        roster.rules.strict = false;
        roster
    }

    #[test]
    fn adding_keeps_a_quorum_of_started_and_healthy_members() {
        use MemberError::{Exists, NotEnoughStarted, PeerUrlExists, TooManyLearners, Unhealthy};
        for (roster, change, expected) in [
            (roster("V"), add(2, false), Ok(())),
            (roster("Vv"), add(3, false), Err(NotEnoughStarted)),
            (roster("Vv"), add(3, true), Ok(())),
            (lax(roster("Vv")), add(3, false), Ok(())),
            (roster("VVV"), add(4, false), Ok(())),
            (roster("VVv"), add(4, false), Err(NotEnoughStarted)),
            (without_touch("VVV", &[3]), add(4, false), Err(Unhealthy)),
            (without_touch("VVV", &[3]), add(4, true), Err(Unhealthy)),
            (without_touch("VVVVV", &[5]), add(6, false), Ok(())),
            (lax(without_touch("VVV", &[2, 3])), add(4, false), Ok(())),
            (roster("VVV"), add(3, false), Err(Exists(3))),
            (roster("VVL"), add(4, true), Err(TooManyLearners)),
            (roster("VVL"), add(4, false), Ok(())),
        ] {
            assert_eq!(roster.check(&change), expected, "{change:?} {:?}", roster.members);
        }
        let taken = MemberChange::Add {
            id: 9,
            peer: Peer {
                peer_urls: vec![url(2)],
                learner: false,
            },
        };
        assert_eq!(roster("VV").check(&taken), Err(PeerUrlExists));
    }

    #[test]
    fn a_member_in_touch_for_a_moment_is_not_healthy_yet() {
        let mut roster = roster("VVV");
        roster.in_touch.insert(3, Duration::from_secs(4));
        assert_eq!(roster.check(&add(4, false)), Err(MemberError::Unhealthy));
    }

    #[test]
    fn removing_keeps_a_quorum_of_started_and_healthy_members() {
        use MemberError::{NotEnoughStarted, NotFound, Unhealthy};
        for (roster, id, expected) in [
            (roster("V"), 1, Err(NotEnoughStarted)),
            (roster("VVV"), 3, Ok(())),
            (roster("VVV"), 1, Ok(())),
            (roster("VVv"), 2, Err(NotEnoughStarted)),
            (roster("VVv"), 3, Ok(())),
            (without_touch("VVV", &[3]), 3, Ok(())),
            (without_touch("VVV", &[3]), 2, Err(Unhealthy)),
            (without_touch("VVV", &[3]), 1, Err(Unhealthy)),
            (lax(without_touch("VVV", &[3])), 2, Ok(())),
            (without_touch("VLv", &[2, 3]), 2, Ok(())),
            (roster("VVV"), 9, Err(NotFound(9))),
        ] {
            assert_eq!(
                roster.check(&MemberChange::Remove { id }),
                expected,
                "{id} {:?}",
                roster.members
            );
        }
    }

    #[test]
    fn only_a_learner_that_keeps_up_is_promoted() {
        use MemberError::{LearnerNotReady, NotEnoughStarted, NotFound, NotLearner};
        let behind = |matched| {
            let mut roster = roster("VVL");
            roster.matched.insert(3, matched);
            roster
        };
        for (roster, id, expected) in [
            (roster("VVL"), 3, Ok(())),
            (behind(900), 3, Ok(())),
            (behind(899), 3, Err(LearnerNotReady)),
            (roster("VVL"), 2, Err(NotLearner)),
            (roster("VVL"), 9, Err(NotFound(9))),
            (roster("VvvL"), 4, Err(NotEnoughStarted)),
            (lax(roster("VvvL")), 4, Ok(())),
        ] {
            assert_eq!(roster.check(&MemberChange::Promote { id }), expected, "{id}");
        }
    }

    #[test]
    fn urls_of_others_are_not_taken() {
        let update = |id, to| MemberChange::Update {
            id,
            peer_urls: vec![url(to)],
        };
        let roster = roster("VV");
        assert_eq!(roster.check(&update(2, 2)), Ok(()));
        assert_eq!(roster.check(&update(2, 3)), Ok(()));
        assert_eq!(roster.check(&update(2, 1)), Err(MemberError::PeerUrlExists));
        assert_eq!(roster.check(&update(9, 9)), Err(MemberError::NotFound(9)));
    }
}
