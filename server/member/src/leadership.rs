//! Who leads, since when this member knows, and what that means for requests.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use taffrail_consensus::{BarrierError, Leadership};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::Member;
use crate::error::{MoveLeaderError, Timeout};

/// Pause before something is tried again that had no leader to do it.
const RETRY: Duration = Duration::from_millis(20);

/// Election timeouts without a leader after which streams that demand one end (etcd interceptor.go, maxNoLeaderCnt).
const LEADERLESS_ELECTIONS: u32 = 3;

/// When this member learnt of the leader that it has, or had last.
#[derive(Default)]
pub(crate) struct Leaders(Mutex<Option<Instant>>);

impl Leaders {
    fn since(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

/// Notes when leaders change, for as long as the member lives.
pub(crate) fn follow(member: &Member) {
    let (member, mut leadership) = (member.clone(), member.leadership());
    tokio::spawn(async move {
        let mut last = None;
        loop {
            let leader = leadership.borrow_and_update().leader;
            if leader.is_some() && leader != last {
                member.0.leaders.changed();
                last = leader;
            }
            if leadership.changed().await.is_err() {
                return;
            }
        }
    });
}

impl Member {
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.0.node.leadership()
    }

    pub fn is_leader(&self) -> bool {
        self.leader() == Some(self.0.config.member_id)
    }

    pub fn leader(&self) -> Option<u64> {
        self.0.node.leadership().borrow().leader
    }

    /// The term in which this member leads.
    pub(crate) fn reign(&self) -> Option<u64> {
        let now = *self.0.node.leadership().borrow();
        (now.leader == Some(self.0.config.member_id)).then_some(now.term)
    }

    /// Proves that this member led after the call began, and that everything acknowledged before is applied here.
    /// Somebody else's barrier would not do: it must be this member that leads, in one term all the while.
    pub(crate) async fn confirm_reign(&self) -> Result<u64, BarrierError> {
        let before = self.reign().ok_or(BarrierError::NoLeader)?;
        self.0.node.try_barrier().await?;
        match self.reign() {
            Some(after) if after == before => Ok(after),
            _ => Err(BarrierError::LeaderChanged),
        }
    }

    /// Waits, without a bound of its own, until somebody leads; none if this member has stopped.
    pub(crate) async fn until_led(&self) -> Option<u64> {
        let mut leadership = self.leadership();
        let led = leadership.wait_for(|leadership| leadership.leader.is_some()).await;
        led.ok().and_then(|leadership| leadership.leader)
    }

    /// A moment at least: who leads by this member's knowledge may not know it yet, or not any more.
    pub(crate) async fn pause_until_led(&self) {
        tokio::time::sleep(RETRY).await;
        self.until_led().await;
    }

    /// Resolves once there has been no leader for several election timeouts. Streams are given up later than requests:
    /// opening them anew costs their clients more.
    pub fn leaderless(&self) -> impl Future<Output = ()> + Send + 'static {
        let patience = LEADERLESS_ELECTIONS * self.config().election_timeout;
        let mut leadership = self.leadership();
        async move {
            while leadership.wait_for(|now| now.leader.is_none()).await.is_ok() {
                let led = leadership.wait_for(|now| now.leader.is_some());
                if tokio::time::timeout(patience, led).await.is_err() {
                    return;
                }
            }
            // The member has stopped, which ends streams by itself.
            std::future::pending().await
        }
    }

    /// Hands leadership over; returns once `target` leads.
    pub async fn move_leader(&self, target: u64) -> Result<(), MoveLeaderError> {
        if !self.is_leader() {
            return Err(MoveLeaderError::NotLeader);
        }
        let may_lead = self.0.node.members().get(&target).is_some_and(|peer| !peer.learner);
        if !may_lead {
            return Err(MoveLeaderError::BadTransferee(target));
        }
        if target == self.config().member_id {
            return Ok(());
        }
        tracing::info!(target = format!("{target:x}"), "leadership transfer starting");
        Ok(self.0.node.transfer_leadership(target).await?)
    }

    /// Why a request that began at `started` and waited for consensus got no answer.
    pub(crate) fn timeout_since(&self, started: Instant) -> Timeout {
        let in_touch = self.0.node.in_touch();
        Circumstances {
            waited: started.elapsed(),
            known_for: self.0.leaders.since().map(|since| since.elapsed()),
            election_timeout: self.config().election_timeout,
            leader: self.leader(),
            own: self.config().member_id,
            members: self.0.node.members().len(),
            in_touch: &in_touch,
        }
        .explain()
    }
}

struct Circumstances<'a> {
    waited: Duration,
    /// How long the leader has been known.
    known_for: Option<Duration>,
    election_timeout: Duration,
    leader: Option<u64>,
    own: u64,
    members: usize,
    in_touch: &'a BTreeMap<u64, Duration>,
}

impl Circumstances<'_> {
    fn explain(&self) -> Timeout {
        let Circumstances { waited, leader, .. } = *self;
        let led_before = |known_for| waited > known_for && waited < known_for + 2 * self.election_timeout;
        if self.known_for.is_some_and(led_before) {
            return Timeout::LeaderFailed;
        }
        let reached = match leader {
            None => true,
            Some(leader) if leader == self.own => self.reached_quorum(),
            Some(leader) => self.in_touch.get(&leader).is_some_and(|touch| *touch > waited),
        };
        if reached {
            Timeout::Unexplained
        } else {
            Timeout::ConnectionLost
        }
    }

    fn reached_quorum(&self) -> bool {
        let others = self.in_touch.values().filter(|touch| **touch > self.waited).count();
        others + 1 > self.members / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn explain(leader: Option<u64>, known_for_s: u32, in_touch: &[(u64, u32)]) -> Timeout {
        let in_touch = in_touch.iter().map(|(id, s)| (*id, *s * SECOND)).collect();
        Circumstances {
            waited: 7 * SECOND,
            known_for: Some(known_for_s * SECOND),
            election_timeout: SECOND,
            leader,
            own: 1,
            members: 3,
            in_touch: &in_touch,
        }
        .explain()
    }

    #[test]
    fn a_request_that_saw_its_leader_fail_says_so() {
        assert_eq!(explain(Some(2), 6, &[(2, 60)]), Timeout::LeaderFailed);
        assert_eq!(explain(Some(2), 60, &[(2, 60)]), Timeout::Unexplained);
        assert_eq!(explain(Some(2), 4, &[(2, 60)]), Timeout::Unexplained);
    }

    #[test]
    fn a_leader_out_of_reach_means_a_lost_connection() {
        assert_eq!(explain(Some(2), 60, &[(3, 60)]), Timeout::ConnectionLost);
        assert_eq!(explain(Some(2), 60, &[(2, 3)]), Timeout::ConnectionLost);
        assert_eq!(explain(None, 60, &[]), Timeout::Unexplained);
    }

    #[test]
    fn a_leader_without_its_quorum_means_a_lost_connection() {
        assert_eq!(explain(Some(1), 60, &[]), Timeout::ConnectionLost);
        assert_eq!(explain(Some(1), 60, &[(2, 60)]), Timeout::Unexplained);
    }
}
