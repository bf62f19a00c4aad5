//! One consensus node: the only handle other rooms hold.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{ClientWriteError, RaftError};
use openraft::impls::ProgressResponder;
use taffrail_store::Answer;
use tokio::sync::{mpsc, oneshot, watch};

use crate::ask::Answerer;
use crate::barrier::Reader;
use crate::error::{BarrierError, ProposeError};
use crate::failure::Failure;
use crate::forward::{Forwarder, Unanswered};
use crate::log::Log;
use crate::machine::StateMachine;
use crate::membership;
use crate::peer::{Peer, PeerBook, PeerInner, PeerService, service};
use crate::shared::{Progress, Proposals, Shared};
use crate::state::State;
use crate::types::{Request, TypeConfig, leader_of};

pub(crate) type Raft = openraft::Raft<TypeConfig, StateMachine>;

/// Threads that hold files get this long to let go of them at shutdown.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
/// What was not appended is tried again after this, or when somebody else leads.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// Who leads, as far as this member can tell: none once nothing was heard of a leader for an election timeout, and in
/// a leader that a quorum does not answer any more.
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
    pub member_id: u64,
    pub raft: Raft,
    pub shared: Arc<Shared>,
    pub failure: Failure,
    pub book: Arc<PeerBook>,
    pub state: Arc<dyn State>,
    pub forwarder: Forwarder,
    pub answerer: Arc<OnceLock<Arc<dyn Answerer>>>,
    /// Held by a change of the membership.
    pub changing: tokio::sync::Mutex<()>,
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
    /// Answers once the entry is durable on a quorum and applied here, whoever leads. `id` is the one that the
    /// request carries. What is certainly not appended is tried again for as long as somebody waits; what may have
    /// been never is.
    pub async fn propose(&self, id: u64, request: Bytes) -> Result<Answer, ProposeError> {
        let pending = self.inner.shared.pending();
        let mut leadership = self.leadership();
        loop {
            match self.try_propose(id, request.clone(), &mut leadership).await {
                Some(result) => {
                    if result.is_ok() {
                        pending.answered();
                    }
                    return result;
                }
                None => self.pause(&mut leadership).await?,
            }
        }
    }

    /// None if nothing was appended.
    async fn try_propose(
        &self,
        id: u64,
        request: Bytes,
        leadership: &mut watch::Receiver<Leadership>,
    ) -> Option<Result<Answer, ProposeError>> {
        let Leadership { leader, term } = *leadership.borrow_and_update();
        if leader == Some(self.inner.member_id) {
            return self.append(request).await;
        }
        match self.inner.forwarder.forward(leader?, term, id, request).await {
            Ok(answer) => Some(Ok(answer)),
            Err(Unanswered::NotAppended) => None,
            Err(Unanswered::Unknown) => Some(Err(ProposeError::LeaderChanged)),
        }
    }

    async fn append(&self, request: Bytes) -> Option<Result<Answer, ProposeError>> {
        match self.inner.raft.client_write(Request(request)).await {
            Ok(written) => Some(Ok(written.data)),
            Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_))) => None,
            Err(RaftError::APIError(_)) => Some(Err(ProposeError::LeaderChanged)),
            Err(RaftError::Fatal(_)) => Some(Err(ProposeError::Stopped)),
        }
    }

    /// Proposes what only a leader may decide: appended in the term in which this member leads now, or not at all.
    pub async fn propose_as_leader(&self, request: Bytes) -> Result<Answer, ProposeError> {
        let Leadership { leader, term } = *self.inner.leadership.borrow();
        if leader != Some(self.inner.member_id) {
            return Err(ProposeError::NoLeader);
        }
        let pending = self.inner.shared.pending();
        let (responder, outcome) = ProgressResponder::complete_only();
        let write = self.inner.raft.write(Request(request));
        let sent = write.with_leader(leader_of(term)).responder(responder).await;
        sent.map_err(|_| ProposeError::Stopped)?;
        match outcome.await {
            Ok(Ok(written)) => {
                pending.answered();
                Ok(written.data)
            }
            Ok(Err(ClientWriteError::ForwardToLeader(_))) => Err(ProposeError::NoLeader),
            Ok(Err(_)) => Err(ProposeError::LeaderChanged),
            Err(_) => Err(ProposeError::Stopped),
        }
    }

    /// Until somebody else leads, or a moment.
    async fn pause(&self, leadership: &mut watch::Receiver<Leadership>) -> Result<(), ProposeError> {
        if self.inner.shared.is_stopped() {
            return Err(ProposeError::Stopped);
        }
        // An error means that the node stops; the next look finds out.
        let _ = tokio::time::timeout(RETRY_PAUSE, leadership.changed()).await;
        Ok(())
    }

    /// Returns once everything acknowledged before the call is applied here. Tries for as long as somebody waits.
    pub async fn read_barrier(&self) -> Result<(), BarrierError> {
        let mut leadership = self.leadership();
        loop {
            leadership.borrow_and_update();
            match self.try_barrier().await {
                Err(BarrierError::NoLeader | BarrierError::LeaderChanged) => {
                    let paused = self.pause(&mut leadership).await;
                    paused.map_err(|_| BarrierError::Stopped)?;
                }
                result => return result,
            }
        }
    }

    /// One try: a barrier that the present leader confirms, or an error at once.
    pub async fn try_barrier(&self) -> Result<(), BarrierError> {
        if self.inner.shared.is_solo() {
            return Ok(());
        }
        let (reader, passed) = oneshot::channel();
        self.inner
            .readers
            .send(Reader::Local(reader))
            .await
            .map_err(|_| BarrierError::Stopped)?;
        passed.await.unwrap_or(Err(BarrierError::Stopped))
    }

    /// Returns once this entry is applied here, or the node has stopped.
    pub async fn wait_applied(&self, index: u64) {
        // What comes after a stop finds out by itself.
        let _ = self.inner.shared.wait_applied(index).await;
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

    /// What the peer port serves.
    pub fn peer_service(&self) -> PeerService {
        let inner = &self.inner;
        service(PeerInner {
            raft: inner.raft.clone(),
            book: inner.book.clone(),
            state: inner.state.clone(),
            shared: inner.shared.clone(),
            readers: inner.readers.clone(),
            answerer: inner.answerer.clone(),
        })
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
