//! What this member answers to its peers.

use std::sync::{Arc, OnceLock};

use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use openraft::async_runtime::WatchReceiver;
use openraft::raft::{StreamAppendError, StreamAppendResult};
use taffrail_proto::taffrailpb as pb;
use taffrail_proto::taffrailpb::peer_server::PeerServer;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::book::PeerBook;
use super::line::MESSAGE_BYTES_MAX;
use super::wire;
use crate::ask::Answerer;
use crate::barrier::Reader;
use crate::node::Raft;
use crate::shared::Shared;
use crate::state::State;
use crate::types::TypeConfig;
use crate::{forward, membership, snapshot};

type Answer<T> = Result<Response<T>, Status>;

/// The service of the peer port: hand it to whatever accepts connections there.
pub type PeerService = PeerServer<PeerRpc>;

#[derive(Clone)]
pub struct PeerRpc(Arc<Inner>);

pub(crate) struct Inner {
    pub raft: Raft,
    pub book: Arc<PeerBook>,
    pub state: Arc<dyn State>,
    pub shared: Arc<Shared>,
    pub readers: mpsc::Sender<Reader>,
    pub answerer: Arc<OnceLock<Arc<dyn Answerer>>>,
}

pub(crate) fn service(inner: Inner) -> PeerService {
    PeerServer::new(PeerRpc(Arc::new(inner)))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}

#[tonic::async_trait]
impl pb::peer_server::Peer for PeerRpc {
    type AppendStream = BoxStream<'static, Result<pb::AppendReply, Status>>;

    async fn append(&self, request: Request<Streaming<pb::AppendRequest>>) -> Answer<Self::AppendStream> {
        let Inner { raft, book, shared, .. } = &*self.0;
        let from = book.admit(&request, false)?;
        let (recorder, shared) = (book.recorder.clone(), shared.clone());
        let requests = readable(request.into_inner()).inspect(move |request: &pb::AppendRequest| {
            recorder.peer_received(from, prost::Message::encoded_len(request) as u64);
        });
        let recorder = book.recorder.clone();
        let requests = requests.map(wire::read_append).take_while(move |read| {
            if let Err(error) = read {
                recorder.peer_receive_failed(from);
                tracing::error!(%error, "a peer sent entries that cannot be read");
            }
            std::future::ready(read.is_ok())
        });
        let requests = requests.filter_map(|read| std::future::ready(read.ok()));
        let results = raft
            .stream_append(requests)
            .map_err(|error| Status::unavailable(error.to_string()));
        let replies = results.map_ok(move |result| answer_append(&shared, from, result));
        Ok(book.signed(replies.boxed()))
    }

    type HeartbeatStream = BoxStream<'static, Result<pb::AppendReply, Status>>;

    async fn heartbeat(&self, request: Request<Streaming<pb::AppendRequest>>) -> Answer<Self::HeartbeatStream> {
        let from = self.0.book.admit(&request, false)?;
        let inner = self.0.clone();
        let replies = readable(request.into_inner()).then(move |request| {
            let inner = inner.clone();
            async move { inner.beat(from, request).await }
        });
        Ok(self.0.book.signed(replies.boxed()))
    }

    async fn vote(&self, request: Request<pb::VoteRequest>) -> Answer<pb::VoteReply> {
        let Inner { raft, book, .. } = &*self.0;
        book.admit(&request, false)?;
        let request = request.into_inner();
        let pre_vote = request.pre_vote;
        let ballot = wire::read_ballot(request)?;
        let reply = if pre_vote {
            raft.pre_vote(ballot).await
        } else {
            raft.vote(ballot).await
        };
        Ok(book.signed(wire::ballot_reply(&reply.map_err(stopped)?)))
    }

    async fn transfer_leadership(&self, request: Request<pb::TransferRequest>) -> Answer<pb::TransferReply> {
        let Inner { raft, book, .. } = &*self.0;
        book.admit(&request, false)?;
        let request = wire::read_transfer(request.into_inner())?;
        let taken = raft.handle_transfer_leader(request).await.map_err(stopped)?;
        let refusal = taken.err().map_or_else(String::new, |error| error.to_string());
        Ok(book.signed(pb::TransferReply { refusal }))
    }

    async fn install_snapshot(&self, request: Request<Streaming<pb::SnapshotPart>>) -> Answer<pb::SnapshotReply> {
        let Inner { raft, book, state, .. } = &*self.0;
        let from = book.admit(&request, false)?;
        let started = std::time::Instant::now();
        book.recorder.snapshot_receive_begins(from);
        let received = snapshot::receive(&**state, &mut request.into_inner(), &*book.recorder).await;
        book.recorder
            .snapshot_received(from, received.is_ok(), started.elapsed());
        let (vote, snapshot) = received.inspect_err(|error| {
            book.recorder.peer_receive_failed(from);
            tracing::warn!(%error, "a raft snapshot did not arrive");
        })?;
        let reply = raft.install_full_snapshot(vote, snapshot).await.map_err(stopped)?;
        let vote = Some(wire::vote(&reply.vote));
        Ok(book.signed(pb::SnapshotReply { vote }))
    }

    type ForwardStream = ReceiverStream<Result<pb::ForwardReply, Status>>;

    async fn forward(&self, request: Request<Streaming<pb::ForwardRequest>>) -> Answer<Self::ForwardStream> {
        let Inner { raft, book, .. } = &*self.0;
        let from = book.admit(&request, true)?;
        let (caller, requests) = (book.clone(), request.into_inner());
        let requests = readable(requests).inspect(move |_| caller.hurry(from));
        Ok(book.signed(forward::leader::serve(raft.clone(), requests.boxed())))
    }

    async fn read_index(&self, request: Request<pb::ReadIndexRequest>) -> Answer<pb::ReadIndexReply> {
        let Inner { book, readers, .. } = &*self.0;
        let from = book.admit(&request, true)?;
        let (tell, index) = oneshot::channel();
        let gone = || Status::unavailable("the node has stopped");
        readers.send(Reader::Remote(tell)).await.map_err(|_| gone())?;
        let index = index.await.map_err(|_| gone())?;
        let index = index.map_err(|error| Status::unavailable(error.to_string()))?;
        book.hurry(from);
        Ok(book.signed(pb::ReadIndexReply { index }))
    }

    async fn ask(&self, request: Request<pb::AskRequest>) -> Answer<pb::AskReply> {
        use pb::ask_reply::Result as Reply;
        let Inner { book, answerer, .. } = &*self.0;
        let from = book.admit(&request, true)?;
        let answerer = answerer.get().ok_or_else(|| Status::unavailable("not ready yet"))?;
        let result = match answerer.answer(from, request.into_inner().question).await {
            Ok(answer) => Reply::Answer(answer),
            Err(refusal) => Reply::Refusal(refusal),
        };
        Ok(book.signed(pb::AskReply { result: Some(result) }))
    }

    async fn ping(&self, request: Request<pb::PingRequest>) -> Answer<pb::PingReply> {
        let book = &self.0.book;
        book.admit(&request, false)?;
        Ok(book.signed(pb::PingReply {}))
    }

    async fn describe(&self, _: Request<pb::DescribeRequest>) -> Answer<pb::DescribeReply> {
        let Inner { raft, book, state, .. } = &*self.0;
        let stored = raft.server_metrics().borrow_watched().membership_config.clone();
        let members = membership::members(stored.membership());
        let known = members.into_iter().map(|(id, peer)| pb::KnownMember {
            id,
            peer_urls: peer.peer_urls,
            learner: peer.learner,
            started: state.incarnation(id) != 0,
        });
        let members = known.collect();
        let cluster_id = book.identity.cluster_id;
        Ok(book.signed(pb::DescribeReply { cluster_id, members }))
    }
}

impl Inner {
    async fn beat(&self, from: u64, request: pb::AppendRequest) -> Result<pb::AppendReply, Status> {
        let request = wire::read_append(request)?;
        let previous = request.prev_log_id;
        let reply = self.raft.append_entries(request).await.map_err(stopped)?;
        let result = reply.into_stream_result(previous, previous);
        Ok(answer_append(&self.shared, from, result))
    }
}

/// Whoever is not told of a higher vote leads.
fn answer_append(shared: &Shared, from: u64, result: StreamAppendResult<TypeConfig>) -> pb::AppendReply {
    if !matches!(result, Err(StreamAppendError::HigherVote(_))) {
        shared.heard(from);
    }
    wire::append_result(result)
}

/// Ends with the connection.
fn readable<T: Send + 'static>(requests: Streaming<T>) -> impl Stream<Item = T> + Send {
    requests
        .take_while(|request| std::future::ready(request.is_ok()))
        .filter_map(|request| async { request.ok() })
}

fn stopped(error: impl std::fmt::Display) -> Status {
    Status::unavailable(error.to_string())
}
