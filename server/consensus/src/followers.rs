//! Who is how far, as the leader knows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openraft::async_runtime::{Instant as _, WatchReceiver};

use crate::Node;
use crate::types::position;

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

impl Follower {
    /// Answered less than this ago.
    pub(crate) fn answers_within(&self, patience: Duration) -> bool {
        self.silent_for.is_some_and(|silence| silence < patience)
    }

    /// Lacks no more than this of a log that ends at `last_index`.
    pub(crate) fn is_within(&self, entries: u64, last_index: u64) -> bool {
        self.matched_index + entries >= last_index
    }
}

impl Node {
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

    /// The last entry of this member's log.
    pub fn last_index(&self) -> u64 {
        let metrics = self.inner.raft.metrics();
        let last = metrics.borrow_watched().last_log_index;
        last.map_or(0, |index| index + 1)
    }

    /// How long each other member has been in touch without a break; absent are those that are not.
    pub fn in_touch(&self) -> BTreeMap<u64, Duration> {
        self.inner.book.in_touch()
    }
}
