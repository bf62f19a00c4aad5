//! What a leader does about its members without being asked: lets those vote that have caught up, and steps aside
//! when its own disk no longer answers.

use std::time::Duration;

use openraft::ChangeMembers;
use openraft::async_runtime::WatchReceiver;

use crate::Node;
use crate::error::ChangeError;
use crate::node::Inner;

/// A voter-to-be this close to the end of the log votes from now on.
const CLOSE_ENTRIES: u64 = 256;

/// Looks once per heartbeat, for as long as the node is kept.
pub async fn settle(inner: std::sync::Weak<Inner>) {
    loop {
        let Some(inner) = inner.upgrade() else { return };
        let node = Node { inner };
        let pause = node.inner.book.pace.heartbeat;
        if node.leads() {
            node.finish_change().await;
            node.let_vote().await;
            node.mind_the_disk().await;
        }
        drop(node);
        tokio::time::sleep(pause).await;
    }
}

impl Node {
    fn leads(&self) -> bool {
        self.inner.leadership.borrow().leader == Some(self.inner.member_id)
    }

    /// A change of voters takes two steps. If its leader is lost between them, the next one takes the second.
    async fn finish_change(&self) {
        if !self.is_half_changed() {
            return;
        }
        let Ok(_one_at_a_time) = self.inner.changing.try_lock() else {
            return;
        };
        match self.change(ChangeMembers::AddVoterIds([].into())).await {
            Ok(()) => tracing::info!("finished a change of the membership that another leader began"),
            Err(error) => tracing::debug!(%error, "a change of the membership is not finished yet"),
        }
    }

    /// The first step is committed, and nobody has taken the second.
    fn is_half_changed(&self) -> bool {
        let metrics = self.inner.raft.server_metrics();
        let seen = metrics.borrow_watched();
        let (now, committed) = (&seen.membership_config, &seen.committed_membership_config);
        now.membership().get_joint_config().len() > 1 && now.log_id() == committed.log_id()
    }

    async fn let_vote(&self) {
        let Some(id) = self.caught_up_member() else { return };
        let Ok(_one_at_a_time) = self.inner.changing.try_lock() else {
            return;
        };
        match self.change(ChangeMembers::AddVoterIds([id].into())).await {
            Ok(()) => tracing::info!(member_id = format!("{id:016x}"), "a member has caught up and votes now"),
            Err(ChangeError::InProgress) => {}
            Err(error) => tracing::warn!(member_id = format!("{id:016x}"), %error, "a member cannot vote yet"),
        }
    }

    fn caught_up_member(&self) -> Option<u64> {
        let (members, last_index) = (self.members(), self.last_index());
        let waits = |id: &u64| members.get(id).is_some_and(|peer| !peer.learner);
        let ready = self.followers()?.into_iter().find(|(id, follower)| {
            !follower.votes
                && waits(id)
                && follower.answers_within(self.inner.book.pace.election)
                && follower.is_within(CLOSE_ENTRIES, last_index)
        });
        ready.map(|(id, _)| id)
    }

    /// Followers would go on following a leader whose disk hangs, and everything written through it would hang too.
    async fn mind_the_disk(&self) {
        let stalled = self.stalled_for();
        if stalled < self.inner.book.pace.election {
            return;
        }
        tracing::warn!(?stalled, "the disk of the log does not answer, stepping aside");
        self.step_aside().await;
        tokio::time::sleep(self.inner.book.pace.election).await;
    }

    /// For how long a write to the log has been under way.
    pub fn stalled_for(&self) -> Duration {
        let open = self
            .inner
            .open
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        open.as_ref().map_or(Duration::ZERO, |open| open.log.stalled_for())
    }
}
