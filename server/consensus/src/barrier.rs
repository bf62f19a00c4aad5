//! Read barriers, many to one ReadIndex round.

use openraft::errors::{LinearizableReadError, RaftError};
use openraft::raft::ReadPolicy;
use tokio::sync::{mpsc, oneshot};

use crate::apply::{Job, caught_up};
use crate::error::BarrierError;
use crate::node::Raft;

/// Readers waiting for the next round.
pub const READERS_MAX: usize = 65_536;

pub type Reader = oneshot::Sender<Result<(), BarrierError>>;

/// Whoever comes while a round is under way joins the next one: the round before may have asked too early for it.
pub async fn serve(raft: Raft, jobs: mpsc::WeakSender<Job>, mut readers: mpsc::Receiver<Reader>) {
    let mut waiting = Vec::new();
    while readers.recv_many(&mut waiting, READERS_MAX).await > 0 {
        let result = round(&raft, &jobs).await;
        for reader in waiting.drain(..) {
            // A reader may have given up.
            let _ = reader.send(result.clone());
        }
    }
}

async fn round(raft: &Raft, jobs: &mpsc::WeakSender<Job>) -> Result<(), BarrierError> {
    let linearizer = raft
        .get_read_linearizer(ReadPolicy::ReadIndex)
        .await
        .map_err(|error| match error {
            RaftError::APIError(LinearizableReadError::ForwardToLeader(_)) => BarrierError::NoLeader,
            RaftError::APIError(LinearizableReadError::QuorumNotEnough(_)) => BarrierError::LeaderChanged,
            RaftError::Fatal(_) => BarrierError::Stopped,
        })?;
    linearizer.await_ready(raft).await.map_err(|_| BarrierError::Stopped)?;
    // What raft calls applied may still be on its way to the apply thread.
    caught_up(jobs).await.map_err(|_| BarrierError::Stopped)
}
