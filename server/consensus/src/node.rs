//! One consensus node: the only handle other rooms hold.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{ClientWriteError, RaftError};
use taffrail_store::Answer;
use tokio::sync::{mpsc, oneshot, watch};

use crate::barrier::Reader;
use crate::error::{BarrierError, FoundError, ProposeError};
use crate::failure::Failure;
use crate::log::Log;
use crate::machine::StateMachine;
use crate::membership;
use crate::peer::Peer;
use crate::shared::{Progress, Proposals, Shared};
use crate::types::{Request, TypeConfig};

pub(crate) type Raft = openraft::Raft<TypeConfig, StateMachine>;

/// Threads that hold files get this long to let go of them at shutdown.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leadership {
    pub leader: Option<u64>,
    pub term: u64,
}

#[derive(Clone)]
pub struct Node {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub raft: Raft,
    pub shared: Arc<Shared>,
    pub failure: Failure,
    pub leadership: watch::Receiver<Leadership>,
    pub readers: mpsc::Sender<Reader>,
    /// Taken at shutdown.
    pub open: Mutex<Option<Open>>,
}

/// What holds files.
pub(crate) struct Open {
    pub log: Log,
    /// One for each thread, told when it has let go of its files.
    pub closed: Vec<oneshot::Receiver<()>>,
}

impl Node {
    /// Whether this log has ever held anything.
    pub async fn is_founded(&self) -> bool {
        // A stopped node had something to stop.
        self.inner.raft.is_initialized().await.unwrap_or(true)
    }

    /// Writes the first membership into an empty log.
    pub async fn found(&self, members: BTreeMap<u64, Peer>) -> Result<(), FoundError> {
        if members.values().any(|peer| peer.learner) {
            return Err(FoundError::Refused(
                "the first members of a cluster must all be voters".into(),
            ));
        }
        self.inner
            .raft
            .initialize(members)
            .await
            .map_err(|error| FoundError::Refused(error.to_string()))
    }

    /// Answers once the entry is durable on a quorum and applied here.
    pub async fn propose(&self, request: Bytes) -> Result<Answer, ProposeError> {
        let pending = self.inner.shared.pending();
        let written = self
            .inner
            .raft
            .client_write(Request(request))
            .await
            .map_err(|error| match error {
                RaftError::APIError(ClientWriteError::ForwardToLeader(_)) => ProposeError::NoLeader,
                RaftError::APIError(_) => ProposeError::LeaderChanged,
                RaftError::Fatal(_) => ProposeError::Stopped,
            })?;
        pending.answered();
        Ok(written.data)
    }

    /// Returns once everything acknowledged before the call is applied here.
    pub async fn read_barrier(&self) -> Result<(), BarrierError> {
        if self.inner.shared.is_solo() {
            return Ok(());
        }
        let (reader, passed) = oneshot::channel();
        self.inner
            .readers
            .send(reader)
            .await
            .map_err(|_| BarrierError::Stopped)?;
        passed.await.unwrap_or(Err(BarrierError::Stopped))
    }

    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.inner.leadership.clone()
    }

    pub fn progress(&self) -> Progress {
        self.inner.shared.progress()
    }

    pub fn proposals(&self) -> Proposals {
        self.inner.shared.proposals()
    }

    pub fn members(&self) -> BTreeMap<u64, Peer> {
        let metrics = self.inner.raft.server_metrics();
        let stored = metrics.borrow_watched().membership_config.clone();
        membership::members(stored.membership())
    }

    /// Resolves with the cause if the node can no longer run: the process must stop.
    pub async fn failed(&self) -> String {
        self.inner.failure.wait().await
    }

    /// Stops taking part and lets go of every file. What was answered stays answered.
    pub async fn shutdown(&self) {
        self.inner.shared.stop();
        let open = self.inner.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Open { log, closed }) = open else { return };
        if let Err(error) = self.inner.raft.shutdown().await {
            tracing::warn!(%error, "raft did not stop cleanly");
        }
        if let Err(error) = log.flush().await {
            tracing::warn!(%error, "the log was not flushed");
        }
        drop(log);
        for thread in closed {
            if tokio::time::timeout(CLOSE_TIMEOUT, thread).await.is_err() {
                tracing::warn!("a thread still holds files after shutdown");
            }
        }
    }
}
