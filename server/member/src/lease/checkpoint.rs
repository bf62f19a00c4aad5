//! When the leader replicates what is left of a lease, so that the next leader does not count from the full TTL.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use taffrail_proto::etcdserverpb::{LeaseCheckpoint, LeaseCheckpointRequest};
use tokio::time::Instant;

use crate::entry::Proposal;
use crate::{LeaseError, Member};

/// Leases in one entry.
const BATCH_LEASES_MAX: usize = 1000;

/// A lease waits for its checkpoint only while more of it is left than one interval.
#[derive(Default)]
pub(super) struct Checkpoints {
    interval: Option<Duration>,
    queue: BTreeSet<(Instant, i64)>,
    by_id: HashMap<i64, Instant>,
}

impl Checkpoints {
    pub fn new(interval: Option<Duration>) -> Self {
        Checkpoints {
            interval,
            ..Checkpoints::default()
        }
    }

    /// The same without leases.
    pub fn cleared(&self) -> Self {
        Checkpoints::new(self.interval)
    }

    pub fn schedule(&mut self, id: i64, now: Instant, end: Instant) {
        self.cancel(id);
        let Some(interval) = self.interval else { return };
        if end.saturating_duration_since(now) > interval {
            self.queue.insert((now + interval, id));
            self.by_id.insert(id, now + interval);
        }
    }

    pub fn cancel(&mut self, id: i64) {
        if let Some(at) = self.by_id.remove(&id) {
            self.queue.remove(&(at, id));
        }
    }

    pub fn due(&mut self, now: Instant, leases_max: usize) -> Vec<i64> {
        let due = self.queue.iter().take_while(|(at, _)| *at <= now).take(leases_max);
        let due: Vec<i64> = due.map(|(_, id)| *id).collect();
        for id in &due {
            self.cancel(*id);
        }
        due
    }
}

impl Member {
    pub(super) async fn checkpoint_due(&self) {
        let due = self.0.ears.leases.due_checkpoints(BATCH_LEASES_MAX);
        if due.is_empty() {
            return;
        }
        if let Err(error) = self.checkpoint(due).await {
            tracing::warn!(%error, "cannot replicate what is left of leases, will try again an interval later");
        }
    }

    /// A renewal outdates the checkpoint, or the next leader would count from it.
    pub(super) async fn clear_checkpoint(&self, id: i64, remaining_ttl_s: i64) -> Result<(), LeaseError> {
        if remaining_ttl_s == 0 {
            return Ok(());
        }
        self.checkpoint(vec![(id, 0)]).await
    }

    async fn checkpoint(&self, left: Vec<(i64, i64)>) -> Result<(), LeaseError> {
        let checkpoint = |(id, remaining_ttl)| LeaseCheckpoint { id, remaining_ttl };
        let request = LeaseCheckpointRequest {
            checkpoints: left.into_iter().map(checkpoint).collect(),
        };
        self.propose_as_leader(Proposal::LeaseCheckpoint, &request).await?;
        Ok(())
    }
}
