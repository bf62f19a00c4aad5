//! openraft's way to one peer.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt};
use openraft::base::{BoxFuture, BoxStream};
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{Backoff, RPCOption, RaftNetworkFactory, RaftNetworkV2, stream_append_sequential};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult, TransferLeaderError,
    TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use taffrail_proto::taffrailpb as pb;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::book::PeerBook;
use super::line::{Client, Line};
use super::outgoing::{Expected, Outgoing};
use super::{Peer, wire};
use crate::snapshot;
use crate::types::{RaftSnapshot, SnapshotData, TypeConfig, Vote};

/// Makes connections to peers.
pub struct Peers(pub Arc<PeerBook>);

pub struct Connection {
    book: Arc<PeerBook>,
    target: u64,
    line: Line,
    client: Client,
    beats: Option<Beats>,
}

/// A stream for messages that are answered one by one.
struct Beats {
    outgoing: mpsc::Sender<pb::AppendRequest>,
    replies: Streaming<pb::AppendReply>,
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
            beats: None,
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
        let reply = within(option.hard_ttl(), self.beat(request)).await.map_err(failed)?;
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
        self.book.recorder.snapshot_send_begins(self.target);
        let answer = tokio::select! {
            answer = self.client.install_snapshot(request) => answer,
            closed = cancel => {
                self.book.recorder.snapshot_sent(self.target, false, started.elapsed());
                return Err(closed.into());
            }
        };
        let reply = self.book.verified(self.target, answer).inspect_err(|status| {
            let peer_id = format!("{:016x}", self.target);
            if status.code() == Code::Unavailable {
                // It is not there; that it became inactive has been said.
                tracing::debug!(peer_id, %status, "could not send a raft snapshot");
            } else {
                tracing::warn!(peer_id, %status, "could not send a raft snapshot");
            }
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
    /// One message and its answer on a stream that is kept: a call of its own would cost several times as much, and
    /// every linearizable read waits for one. Whoever gives up half-way leaves no stream behind.
    async fn beat(&mut self, request: pb::AppendRequest) -> Result<pb::AppendReply, Status> {
        let mut beats = match self.beats.take() {
            Some(beats) => beats,
            None => self.open_beats().await?,
        };
        let broken = || Status::unavailable("the stream of heartbeats broke");
        beats.outgoing.send(request).await.map_err(|_| broken())?;
        let reply = beats.replies.message().await?.ok_or_else(broken)?;
        self.beats = Some(beats);
        Ok(reply)
    }

    async fn open_beats(&mut self) -> Result<Beats, Status> {
        let (outgoing, requests) = mpsc::channel(1);
        let request = self.book.addressed(self.target, ReceiverStream::new(requests));
        let answer = self.client.heartbeat(request).await;
        let replies = self.book.verified(self.target, answer)?;
        Ok(Beats { outgoing, replies })
    }

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

    async fn stream_entries<S>(&mut self, mut input: S) -> Result<Results<'_>, RPCError<TypeConfig>>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Send + Unpin + 'static,
    {
        let (book, target) = (self.book.clone(), self.target);
        // raft waits here after a failure: nobody is called before there is something to say.
        let Some(first) = input.next().await else {
            return Ok(Box::pin(futures::stream::empty()));
        };
        let expected = Expected::default();
        let outgoing = Outgoing {
            input,
            first: Some(first),
            held: None,
            sent_upto: None,
            expected: expected.clone(),
            hurry: book.hurry_of(target),
            book: book.clone(),
            target,
        };
        let outgoing = futures::stream::unfold(outgoing, Outgoing::next);
        let answer = self.client.append(book.addressed(target, outgoing)).await;
        let replies = book.verified(target, answer).map_err(failed)?;
        let results = futures::stream::unfold(
            (replies, expected, book),
            move |(mut replies, expected, book)| async move {
                let result = match expected.merged() {
                    Some(matched) => Ok(Ok(matched)),
                    None => match replies.message().await.transpose()? {
                        Ok(reply) => {
                            expected.answered();
                            wire::read_append_result(reply).map_err(failed)
                        }
                        Err(status) => {
                            book.recorder.peer_send_failed(target);
                            Err(failed(status))
                        }
                    },
                };
                Some((result, (replies, expected, book)))
            },
        );
        Ok(Box::pin(results))
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
