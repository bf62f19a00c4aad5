//! Leadership that goes to somebody else on purpose.

use crate::Node;
use crate::error::TransferError;
use crate::followers::Follower;

impl Node {
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
        let follower = self.followers().and_then(|followers| followers.get(&id).copied());
        follower.is_none_or(|follower| follower.is_within(CLOSE_ENTRIES, self.last_index()))
    }

    /// Hands leadership to the voter that is furthest, if this member leads and there is one.
    pub async fn step_aside(&self) {
        let Some(followers) = self.followers() else { return };
        let may_lead = |follower: &Follower| follower.votes && follower.answers_within(self.inner.book.pace.election);
        let best = followers.iter().filter(|(_, follower)| may_lead(follower));
        let Some((to, _)) = best.max_by_key(|(_, follower)| follower.matched_index) else {
            return;
        };
        match self.transfer_leadership(*to).await {
            Ok(()) => tracing::info!(transferee_id = format!("{to:016x}"), "leadership transfer succeeded"),
            Err(error) => tracing::warn!(%error, "leadership transfer failed"),
        }
    }
}
