//! Follows what raft reports: who leads, who is a member, and whether this member still is one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use openraft::async_runtime::{Instant as _, WatchReceiver};
use openraft::errors::Fatal;
use tokio::sync::watch;

use crate::failure::Failure;
use crate::membership;
use crate::node::{Leadership, Raft};
use crate::peer::PeerBook;
use crate::shared::Shared;

/// A removed member stays this long, so that it can answer what it was asked and pass on what it knows.
const LEAVE_AFTER: Duration = Duration::from_secs(1);

pub struct Watch {
    pub raft: Raft,
    pub member_id: u64,
    pub shared: Arc<Shared>,
    pub book: Arc<PeerBook>,
    pub failure: Failure,
    pub leads: watch::Sender<Leadership>,
    /// The term at start: a leader of it may be long gone.
    pub start_term: u64,
    pub was_member: bool,
    pub leading_since: Option<Instant>,
}

impl Watch {
    /// Runs until raft has ended; then says why.
    pub async fn run(mut self) {
        let mut metrics = self.raft.server_metrics();
        let mut tick = tokio::time::interval(self.book.pace.heartbeat);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let seen = metrics.borrow_watched().clone();
            self.book
                .update(&membership::members(seen.membership_config.membership()));
            self.look_for_removal(
                seen.committed_membership_config
                    .membership()
                    .get_node(&self.member_id)
                    .is_some(),
            );
            let now = Leadership {
                leader: seen
                    .current_leader
                    .filter(|leader| self.is_alive(*leader, seen.vote.leader_id.term)),
                term: seen.vote.leader_id.term,
            };
            self.shared.saw_term(now.term);
            self.leads
                .send_if_modified(|before| std::mem::replace(before, now) != now);
            tokio::select! {
                changed = metrics.changed() => if changed.is_err() { break },
                _ = tick.tick() => {}
            }
        }
        self.ended();
    }

    fn ended(self) {
        self.leads.send_modify(|before| before.leader = None);
        self.shared.stop();
        let end = self.raft.metrics().borrow_watched().running_state.clone();
        match end {
            Ok(()) | Err(Fatal::Stopped) => {}
            Err(error) => self.failure.set(format!("raft has stopped: {error}")),
        }
    }

    /// raft keeps naming a leader that it has not heard of for long.
    fn is_alive(&mut self, leader: u64, term: u64) -> bool {
        let patience = self.book.pace.election;
        if leader != self.member_id {
            self.leading_since = None;
            return match self.shared.silence(leader) {
                Some(silence) => silence < patience,
                None => term > self.start_term,
            };
        }
        let metrics = self.raft.metrics();
        let seen = metrics.borrow_watched();
        if !seen.state.is_leader() {
            self.leading_since = None;
            return false;
        }
        let since = self.leading_since.get_or_insert_with(Instant::now).elapsed();
        let alone = seen
            .membership_config
            .membership()
            .voter_ids()
            .all(|id| id == self.member_id);
        alone || since < patience || seen.last_quorum_acked.is_some_and(|at| at.elapsed() < patience)
    }

    fn look_for_removal(&mut self, is_member: bool) {
        if self.was_member && !is_member {
            let book = self.book.clone();
            tokio::spawn(async move {
                tokio::time::sleep(LEAVE_AFTER).await;
                book.removed.send_replace(true);
            });
        }
        self.was_member = is_member;
    }
}
