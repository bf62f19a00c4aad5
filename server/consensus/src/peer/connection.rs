//! openraft's way to one peer.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt};
use openraft::base::{BoxFuture, BoxStream};
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{Backoff, RPCOption, RaftNetworkFactory, RaftNetworkV2, stream_append_sequential};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult, TransferLeaderError,
    TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use prost::Message;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Code, Status};

use super::book::{Client, Line, PeerBook};
use super::{Peer, wire};
use crate::snapshot;
use crate::types::{RaftSnapshot, SnapshotData, TypeConfig, Vote};

/// Bytes of entries on their way to one peer without an answer. One message may be larger; then it goes alone.
const INFLIGHT_BYTES_MAX: usize = 16 << 20;
/// Messages on their way to one peer without an answer.
const INFLIGHT_MESSAGES_MAX: usize = 64;

/// Makes connections to peers.
pub struct Peers(pub Arc<PeerBook>);

pub struct Connection {
    book: Arc<PeerBook>,
    target: u64,
    line: Line,
    client: Client,
}

impl Peers {
    fn connection(&self, target: u64, peer: &Peer, line: Line) -> Connection {
        let book = self.0.clone();
        let client = book.line(target, line, &peer.peer_urls);
        Connection {
            book,
            target,
            line,
            client,
        }
    }
}

impl RaftNetworkFactory<TypeConfig> for Peers {
    type Network = Connection;

    async fn new_client(&mut self, target: u64, peer: &Peer) -> Connection {
        self.connection(target, peer, Line::Entries)
    }

    async fn new_heartbeat_client(&mut self, target: u64, peer: &Peer) -> Connection {
        self.connection(target, peer, Line::Beat)
    }

    async fn new_snapshot_client(&mut self, target: u64, peer: &Peer) -> Connection {
        self.connection(target, peer, Line::Snapshot)
    }
}

type Results<'a> = BoxStream<'a, Result<StreamAppendResult<TypeConfig>, RPCError<TypeConfig>>>;

impl RaftNetworkV2<TypeConfig> for Connection {
    type SnapshotData = SnapshotData;

    /// A heartbeat; entries go by the stream.
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RPCError<TypeConfig>> {
        let request = wire::append(request).map_err(|error| unreachable(&error))?;
        let request = self.book.addressed(self.target, request);
        let answer = within(option.hard_ttl(), self.client.heartbeat(request)).await;
        let reply = self.book.verified(self.target, answer).map_err(failed)?;
        let result = wire::read_append_result(reply).map_err(failed)?;
        Ok(result.into())
    }

    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        option: RPCOption,
    ) -> BoxFuture<'s, Result<Results<'s>, RPCError<TypeConfig>>>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Send + Unpin + 'static,
    {
        if self.line == Line::Beat {
            return stream_append_sequential(self, input, option);
        }
        Box::pin(self.stream_entries(input))
    }

    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.ballot(&request, false, option).await
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.ballot(&request, true, option).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: RaftSnapshot,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let parts = snapshot::parts(&vote, snapshot).map_err(|error| StreamingError::from(unreachable(&error)))?;
        let request = self.book.addressed(self.target, parts);
        let started = Instant::now();
        let answer = tokio::select! {
            answer = self.client.install_snapshot(request) => answer,
            closed = cancel => return Err(closed.into()),
        };
        let reply = self.book.verified(self.target, answer).inspect_err(|status| {
            tracing::warn!(peer_id = format!("{:016x}", self.target), %status, "could not send a raft snapshot");
        });
        self.book
            .recorder
            .snapshot_sent(self.target, reply.is_ok(), started.elapsed());
        let vote = wire::read_vote(reply.map_err(failed)?.vote).map_err(failed)?;
        Ok(SnapshotResponse::new(vote))
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RPCError<TypeConfig>> {
        let vote = *request.from_leader();
        let request = self.book.addressed(self.target, wire::transfer(&request));
        let mut client = self.on(Line::Beat);
        let answer = within(option.hard_ttl(), client.transfer_leadership(request)).await;
        let reply = self.book.verified(self.target, answer).map_err(failed)?;
        Ok(if reply.refusal.is_empty() {
            Ok(())
        } else {
            Err(TransferLeaderError::VoteChanged {
                expected: vote,
                actual: vote,
            })
        })
    }

    fn backoff(&self) -> Option<Backoff> {
        let first = self.book.pace.heartbeat / 2;
        let most = self.book.pace.election / 2;
        let pauses = std::iter::successors(Some(first), move |pause| Some((*pause * 2).min(most)));
        Some(Backoff::new(pauses))
    }
}

impl Connection {
    fn on(&self, line: Line) -> Client {
        self.book.line(self.target, line, &[])
    }

    async fn ballot(
        &mut self,
        request: &VoteRequest<TypeConfig>,
        pre_vote: bool,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        let request = self.book.addressed(self.target, wire::ballot(request, pre_vote));
        let mut client = self.on(Line::Beat);
        let answer = within(option.hard_ttl(), client.vote(request)).await;
        let reply = self.book.verified(self.target, answer).map_err(failed)?;
        wire::read_ballot_reply(reply).map_err(failed)
    }

    async fn stream_entries<S>(&mut self, input: S) -> Result<Results<'_>, RPCError<TypeConfig>>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Send + Unpin + 'static,
    {
        let inflight = Inflight::default();
        let (book, target) = (self.book.clone(), self.target);
        let (admitted, counting) = (inflight.clone(), book.clone());
        let outgoing = input.filter_map(move |request| {
            let (admitted, counting) = (admitted.clone(), counting.clone());
            async move {
                let request = wire::append(request)
                    .inspect_err(|error| tracing::error!(%error, "an entry cannot be sent"))
                    .ok()?;
                let bytes = request.encoded_len();
                admitted.admit(bytes).await;
                counting.recorder.peer_sent(target, bytes as u64);
                Some(request)
            }
        });
        let answer = self.client.append(book.addressed(target, outgoing)).await;
        let replies = book.verified(target, answer).map_err(failed)?;
        let results = replies.map(move |reply| {
            inflight.answered();
            let reply = reply
                .inspect_err(|_| book.recorder.peer_send_failed(target))
                .map_err(failed)?;
            wire::read_append_result(reply).map_err(failed)
        });
        Ok(Box::pin(results))
    }
}

/// What is on its way without an answer; answers come in the order of the messages.
#[derive(Clone)]
struct Inflight {
    room_bytes: Arc<Semaphore>,
    room_messages: Arc<Semaphore>,
    taken: Arc<Mutex<VecDeque<[OwnedSemaphorePermit; 2]>>>,
}

impl Default for Inflight {
    fn default() -> Self {
        Self {
            room_bytes: Arc::new(Semaphore::new(INFLIGHT_BYTES_MAX)),
            room_messages: Arc::new(Semaphore::new(INFLIGHT_MESSAGES_MAX)),
            taken: Arc::default(),
        }
    }
}

impl Inflight {
    async fn admit(&self, bytes: usize) {
        let bytes = bytes.min(INFLIGHT_BYTES_MAX) as u32;
        let permits = (
            self.room_bytes.clone().acquire_many_owned(bytes).await,
            self.room_messages.clone().acquire_owned().await,
        );
        // The semaphores are never closed.
        if let (Ok(bytes), Ok(message)) = permits {
            self.taken().push_back([bytes, message]);
        }
    }

    fn answered(&self) {
        drop(self.taken().pop_front());
    }

    fn taken(&self) -> std::sync::MutexGuard<'_, VecDeque<[OwnedSemaphorePermit; 2]>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer in time or none.
pub async fn within<T>(patience: Duration, call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    match tokio::time::timeout(patience, call).await {
        Ok(answer) => answer,
        Err(_) => Err(Status::deadline_exceeded("no answer in time")),
    }
}

fn unreachable(error: &(impl std::error::Error + 'static)) -> RPCError<TypeConfig> {
    RPCError::Unreachable(Unreachable::new(error))
}

/// A peer that cannot be reached, or that refuses, is left alone for a moment.
fn failed(status: Status) -> RPCError<TypeConfig> {
    match status.code() {
        Code::Unavailable | Code::FailedPrecondition | Code::Unauthenticated | Code::Unknown => unreachable(&status),
        _ => RPCError::Network(NetworkError::new(&status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_on_its_way_is_bounded_in_bytes() {
        let inflight = Inflight::default();
        inflight.admit(INFLIGHT_BYTES_MAX * 2).await;
        let next = tokio::spawn({
            let inflight = inflight.clone();
            async move { inflight.admit(1).await }
        });
        tokio::task::yield_now().await;
        assert!(!next.is_finished());
        inflight.answered();
        next.await.unwrap();
    }
}
