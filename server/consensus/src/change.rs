//! What can be changed about the membership, and who is how far.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openraft::ChangeMembers;
use openraft::async_runtime::{Instant as _, WatchReceiver};
use openraft::errors::{ChangeMembershipError, ClientWriteError, RaftError};

use crate::Node;
use crate::error::{ChangeError, TransferError};
use crate::peer::Peer;
use crate::types::position;

/// One change of the membership; changes come one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberChange {
    /// A voter-to-be replicates as a learner first and votes by itself once it has caught up, so that adding a
    /// member that is not started yet costs no quorum.
    Add {
        id: u64,
        peer: Peer,
    },
    Promote {
        id: u64,
    },
    Remove {
        id: u64,
    },
    Update {
        id: u64,
        peer_urls: Vec<String>,
    },
}

/// How far another member is, as its leader knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Follower {
    /// The last entry it is known to hold durably; 0 for none.
    pub matched_index: u64,
    /// How long ago it last answered; none if it never did in this term.
    pub silent_for: Option<Duration>,
    /// Counts for the quorum.
    pub votes: bool,
}

impl Node {
    /// Changes the membership; only the leader can. Returns once the change is committed and in force.
    pub async fn change_members(&self, change: MemberChange) -> Result<(), ChangeError> {
        let _one_at_a_time = self.inner.changing.lock().await;
        let members = self.members();
        let known = |id: &u64| members.get(id).cloned().ok_or(ChangeError::NotFound(*id));
        match change {
            MemberChange::Add { id, .. } if self.was_removed(id) || members.contains_key(&id) => {
                Err(ChangeError::Refused(format!("member ID {id:016x} is used already")))
            }
            MemberChange::Add { id, peer } => self.change(ChangeMembers::AddNodes([(id, peer)].into())).await,
            MemberChange::Promote { id } => self.promote(id, known(&id)?).await,
            MemberChange::Remove { id } => {
                known(&id)?;
                self.remove(id).await
            }
            MemberChange::Update { id, peer_urls } => {
                let peer = Peer {
                    peer_urls,
                    ..known(&id)?
                };
                self.change(ChangeMembers::SetNodes([(id, peer)].into())).await
            }
        }
    }

    /// Whether this id belonged to a member that was removed; it can never be used again.
    pub fn was_removed(&self, id: u64) -> bool {
        self.inner.book.was_removed(id)
    }

    async fn promote(&self, id: u64, peer: Peer) -> Result<(), ChangeError> {
        let voter = Peer { learner: false, ..peer };
        self.change(ChangeMembers::Batch(vec![
            ChangeMembers::SetNodes([(id, voter)].into()),
            ChangeMembers::AddVoterIds([id].into()),
        ]))
        .await
    }

    async fn remove(&self, id: u64) -> Result<(), ChangeError> {
        if self.voters().contains(&id) {
            self.change(ChangeMembers::RemoveVoters([id].into())).await
        } else {
            self.change(ChangeMembers::RemoveNodes([id].into())).await
        }
    }

    /// Waits a while for a change that is under way, such as one that another leader began.
    pub(crate) async fn change(&self, change: ChangeMembers<u64, Peer>) -> Result<(), ChangeError> {
        // From now on an answer may come from somewhere else.
        self.inner.shared.set_solo(false);
        let pace = self.inner.book.pace;
        let begun = tokio::time::Instant::now();
        loop {
            match self.try_change(change.clone()).await {
                Err(ChangeError::InProgress) if begun.elapsed() < 2 * pace.election => {
                    tokio::time::sleep(pace.heartbeat / 4).await;
                }
                result => return result,
            }
        }
    }

    async fn try_change(&self, change: ChangeMembers<u64, Peer>) -> Result<(), ChangeError> {
        let done = self.inner.raft.change_membership(change, false).await;
        done.map(drop).map_err(|error| match error {
            RaftError::APIError(ClientWriteError::ForwardToLeader(_)) => ChangeError::NotLeader,
            RaftError::APIError(ClientWriteError::ChangeMembershipError(ChangeMembershipError::InProgress(_))) => {
                ChangeError::InProgress
            }
            RaftError::APIError(ClientWriteError::ChangeMembershipError(error)) => {
                ChangeError::Refused(error.to_string())
            }
            RaftError::APIError(_) => ChangeError::LeaderChanged,
            RaftError::Fatal(_) => ChangeError::Stopped,
        })
    }

    /// Who counts for the quorum.
    pub(crate) fn voters(&self) -> BTreeSet<u64> {
        self.inner.raft.voter_ids().collect()
    }

    /// The other members as the leader sees them; none if this member does not lead.
    pub fn followers(&self) -> Option<BTreeMap<u64, Follower>> {
        let metrics = self.inner.raft.metrics();
        let seen = metrics.borrow_watched();
        let (replication, heartbeat) = (seen.replication.as_ref()?, seen.heartbeat.as_ref()?);
        let voters: BTreeSet<u64> = seen.membership_config.membership().voter_ids().collect();
        let others = replication.iter().filter(|(id, _)| **id != seen.id);
        let follower = |(id, matched): (&u64, &Option<_>)| {
            let answered = heartbeat.get(id).and_then(Option::as_ref);
            let follower = Follower {
                matched_index: matched.as_ref().map_or(0, |id| position(id).index),
                silent_for: answered.map(|at| at.elapsed()),
                votes: voters.contains(id),
            };
            (*id, follower)
        };
        Some(others.map(follower).collect())
    }

    /// How long each other member has been in touch without a break; absent are those that are not.
    pub fn in_touch(&self) -> BTreeMap<u64, Duration> {
        self.inner.book.in_touch()
    }

    /// Resolves once this member has learnt that it was removed from its cluster: the process must end.
    pub async fn removed(&self) {
        let mut removed = self.inner.book.removed.subscribe();
        if removed.wait_for(|removed| *removed).await.is_err() {
            std::future::pending().await
        }
    }

    /// Hands leadership over and returns once `to` leads. Only the leader can.
    pub async fn transfer_leadership(&self, to: u64) -> Result<(), TransferError> {
        let mut leadership = self.leadership();
        let before = *leadership.borrow_and_update();
        if before.leader != Some(self.inner.member_id) {
            return Err(TransferError::NotLeader);
        }
        if to == self.inner.member_id {
            return Ok(());
        }
        if !self.voters().contains(&to) {
            return Err(TransferError::BadTransferee(to));
        }
        self.caught_up(to).await;
        let trigger = self.inner.raft.trigger();
        trigger.transfer_leader(to).await.map_err(|_| TransferError::Stopped)?;
        let patience = 2 * self.inner.book.pace.election;
        let arrived = leadership.wait_for(|now| now.term > before.term && now.leader.is_some());
        match tokio::time::timeout(patience, arrived).await {
            Ok(Ok(now)) if now.leader == Some(to) => Ok(()),
            Ok(Ok(_)) | Err(_) => Err(TransferError::TimedOut),
            Ok(Err(_)) => Err(TransferError::Stopped),
        }
    }

    /// Waits a moment until a follower holds what this leader holds, so that it can win at once.
    async fn caught_up(&self, id: u64) {
        let close = async {
            while !self.is_close(id) {
                tokio::time::sleep(self.inner.book.pace.heartbeat / 10).await;
            }
        };
        // If it does not come close, it has to win with what it has.
        let _ = tokio::time::timeout(self.inner.book.pace.election, close).await;
    }

    fn is_close(&self, id: u64) -> bool {
        /// What is usually on its way under load.
        const CLOSE_ENTRIES: u64 = 512;
        let matched = self
            .followers()
            .and_then(|followers| followers.get(&id).map(|f| f.matched_index));
        matched.is_none_or(|matched| matched + CLOSE_ENTRIES >= self.last_index())
    }

    /// The last entry of this member's log.
    pub fn last_index(&self) -> u64 {
        let metrics = self.inner.raft.metrics();
        let last = metrics.borrow_watched().last_log_index;
        last.map_or(0, |index| index + 1)
    }

    /// Hands leadership to the voter that is furthest, if this member leads and there is one.
    pub async fn step_aside(&self) {
        let Some(followers) = self.followers() else { return };
        let fresh = |follower: &Follower| {
            follower
                .silent_for
                .is_some_and(|gone| gone < self.inner.book.pace.election)
        };
        let best = followers
            .iter()
            .filter(|(_, follower)| follower.votes && fresh(follower));
        let Some((to, _)) = best.max_by_key(|(_, follower)| follower.matched_index) else {
            return;
        };
        match self.transfer_leadership(*to).await {
            Ok(()) => tracing::info!(transferee_id = format!("{to:016x}"), "leadership transfer succeeded"),
            Err(error) => tracing::warn!(%error, "leadership transfer failed"),
        }
    }
}
