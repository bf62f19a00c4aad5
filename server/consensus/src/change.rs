//! What can be changed about the membership.

use openraft::ChangeMembers;
use openraft::errors::{ChangeMembershipError, ClientWriteError, RaftError};

use crate::Node;
use crate::error::ChangeError;
use crate::peer::Peer;

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

    /// Resolves once this member has learnt that it was removed from its cluster: the process must end.
    pub async fn removed(&self) {
        let mut removed = self.inner.book.removed.subscribe();
        if removed.wait_for(|removed| *removed).await.is_err() {
            std::future::pending().await
        }
    }
}
