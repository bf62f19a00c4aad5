//! Changes of the membership: asked of any member, checked and made by the leader, one after the other.
//!
//! A change whose outcome is unknown is never tried again: it would be a second change.

mod rules;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use taffrail_consensus::{MemberChange, Peer};
use tokio::time::{Instant, sleep, timeout};

use crate::identity::member_id;
use crate::{Member, MemberError, MemberInfo, ReadError};
use rules::Roster;

/// Pause before the leader, maybe another one by then, is asked again.
const RETRY: Duration = Duration::from_millis(50);

impl Member {
    /// Adds a member and returns it, and all members. One that is to vote does so once it has caught up.
    pub async fn add_member(
        &self,
        mut peer_urls: Vec<String>,
        learner: bool,
    ) -> Result<(MemberInfo, Vec<MemberInfo>), MemberError> {
        peer_urls.sort();
        let added = MemberInfo {
            id: new_id(
                &peer_urls,
                SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            ),
            name: String::new(),
            peer_urls: peer_urls.clone(),
            client_urls: Vec::new(),
            is_learner: learner,
        };
        let peer = Peer { peer_urls, learner };
        let members = self.change(MemberChange::Add { id: added.id, peer }).await?;
        Ok((added, members))
    }

    pub async fn remove_member(&self, id: u64) -> Result<Vec<MemberInfo>, MemberError> {
        self.change(MemberChange::Remove { id }).await
    }

    pub async fn update_member(&self, id: u64, peer_urls: Vec<String>) -> Result<Vec<MemberInfo>, MemberError> {
        self.change(MemberChange::Update { id, peer_urls }).await
    }

    pub async fn promote_member(&self, id: u64) -> Result<Vec<MemberInfo>, MemberError> {
        self.change(MemberChange::Promote { id }).await
    }

    async fn change(&self, change: MemberChange) -> Result<Vec<MemberInfo>, MemberError> {
        let started = Instant::now();
        let changed = timeout(self.config().request_timeout, self.change_by_leader(&change)).await;
        changed.unwrap_or_else(|_| Err(MemberError::TimedOut(self.timeout_since(started))))
    }

    async fn change_by_leader(&self, change: &MemberChange) -> Result<Vec<MemberInfo>, MemberError> {
        loop {
            let leader = self.until_led().await.ok_or(MemberError::Stopped)?;
            let changed = if leader == self.config().member_id {
                self.change_here(change).await
            } else {
                self.change_at(leader, change).await
            };
            match changed {
                Err(MemberError::NotNow) => sleep(RETRY).await,
                changed => return changed,
            }
        }
    }

    async fn change_at(&self, leader: u64, change: &MemberChange) -> Result<Vec<MemberInfo>, MemberError> {
        let members = self.ask_to_change(leader, change).await?;
        // So that whoever asked sees the change here too; a member that removed itself never will.
        let _ = timeout(self.config().election_timeout, self.barrier()).await;
        Ok(members)
    }

    /// Checks and makes a change as the leader.
    pub(crate) async fn change_here(&self, change: &MemberChange) -> Result<Vec<MemberInfo>, MemberError> {
        let changed = self.check_and_change(change).await;
        if let MemberChange::Promote { .. } = change {
            self.count_promotion(&changed);
        }
        changed
    }

    async fn check_and_change(&self, change: &MemberChange) -> Result<Vec<MemberInfo>, MemberError> {
        let _one_at_a_time = self.0.changing.lock().await;
        // Names and members are those of a leader that still is one.
        self.barrier().await.map_err(|error| match error {
            ReadError::TimedOut => MemberError::TimedOut(crate::Timeout::Unexplained),
            _ => MemberError::NotNow,
        })?;
        self.roster()
            .ok_or(MemberError::NotNow)?
            .check(change)
            .inspect_err(|error| {
                tracing::warn!(?change, %error, "rejecting membership change");
            })?;
        if *change
            == (MemberChange::Remove {
                id: self.config().member_id,
            })
        {
            // The next leader removes this one, so that writes go on meanwhile; without a next one it removes itself.
            self.0.node.step_aside().await;
            if !self.is_leader() {
                return Err(MemberError::NotNow);
            }
        }
        self.0.node.change_members(change.clone()).await?;
        tracing::info!(?change, "applied a configuration change through raft");
        Ok(self.members())
    }

    /// None unless this member leads.
    fn roster(&self) -> Option<Roster> {
        let followers = self.0.node.followers().filter(|_| self.is_leader())?;
        let matched = followers.into_iter().map(|(id, follower)| (id, follower.matched_index));
        Some(Roster {
            rules: self.config().membership,
            own: self.config().member_id,
            members: self.members(),
            in_touch: self.0.node.in_touch(),
            matched: matched.collect(),
            last_index: self.0.node.last_index(),
        })
    }

    fn count_promotion(&self, outcome: &Result<Vec<MemberInfo>, MemberError>) {
        match outcome {
            Ok(_) => self.counters().learners_promoted.add(1),
            Err(MemberError::NotNow) => {}
            Err(error) => self.counters().promotions_refused.add(error.clone()),
        }
    }
}

fn new_id(peer_urls: &[String], unix_time: Duration) -> u64 {
    member_id(peer_urls, &unix_time.as_secs().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_urls_get_another_id_a_second_later() {
        let urls = ["http://a:1".to_owned()];
        let at = |s| new_id(&urls, Duration::from_secs(s));
        assert_ne!(at(1), at(2));
        // What sha1 makes of "http://a:11".
        assert_eq!(at(1), 0x63be_3951_0378_d105);
    }
}
