//! The first election after a start.

use std::sync::{Arc, Weak};

use crate::Node;
use crate::node::{Inner, Raft};

impl Node {
    /// Saves the wait for an election timeout where it would bring nothing: alone nobody else could win, and the
    /// founders of a cluster would only compete with each other.
    pub(crate) async fn elect_early(&self, founded: bool) {
        let voters = self.voters();
        if voters.len() == 1 && voters.contains(&self.inner.member_id) {
            elect(&self.inner.raft).await;
        } else if founded && voters.first() == Some(&self.inner.member_id) {
            tokio::spawn(elect_when_in_touch(Arc::downgrade(&self.inner), voters.len() / 2));
        }
    }
}

async fn elect(raft: &Raft) {
    if let Err(error) = raft.trigger().elect(false).await {
        tracing::warn!(%error, "no election at start; the election timeout will bring one");
    }
}

/// Waits until a quorum can be reached, unless somebody else leads first.
async fn elect_when_in_touch(node: Weak<Inner>, others_needed: usize) {
    while let Some(inner) = node.upgrade() {
        let pace = inner.book.pace;
        if inner.leadership.borrow().leader.is_some() {
            return;
        }
        if inner.book.in_touch().len() >= others_needed {
            return elect(&inner.raft).await;
        }
        drop(inner);
        tokio::time::sleep(pace.heartbeat / 2).await;
    }
}
