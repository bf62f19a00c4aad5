//! The leader's end of a stream of forwarded proposals.

use futures::StreamExt;
use futures::stream::BoxStream;
use openraft::errors::ClientWriteError;
use openraft::impls::ProgressResponder;

use taffrail_proto::taffrailpb as pb;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::node::Raft;
use crate::types::{Request, leader_of};

type Replies = mpsc::Sender<Result<pb::ForwardReply, Status>>;

/// Replies written ahead of the network.
const REPLIES_AHEAD_MAX: usize = 64;

pub fn serve(
    raft: Raft,
    mut requests: BoxStream<'static, pb::ForwardRequest>,
) -> ReceiverStream<Result<pb::ForwardReply, Status>> {
    let (replies, stream) = mpsc::channel(REPLIES_AHEAD_MAX);
    tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            for proposal in request.proposals {
                append(&raft, proposal, &replies).await;
            }
        }
    });
    ReceiverStream::new(stream)
}

async fn append(raft: &Raft, proposal: pb::Proposal, replies: &Replies) {
    let pb::Proposal { id, term, content } = proposal;
    let only = leader_of(term);
    let (responder, outcome) = ProgressResponder::complete_only();
    let sent = raft
        .write(Request(content))
        .with_leader(only)
        .responder(responder)
        .await;
    if sent.is_err() {
        return reply(replies, unknown(id, term)).await;
    }
    let replies = replies.clone();
    tokio::spawn(async move {
        match outcome.await {
            Ok(Ok(_)) => {}
            Ok(Err(ClientWriteError::ForwardToLeader(_))) => reply(&replies, refused(id, term)).await,
            _ => reply(&replies, unknown(id, term)).await,
        }
    });
}

fn refused(id: u64, term: u64) -> pb::ForwardReply {
    pb::ForwardReply {
        refused: vec![id],
        term,
        ..pb::ForwardReply::default()
    }
}

fn unknown(id: u64, term: u64) -> pb::ForwardReply {
    pb::ForwardReply {
        unknown: vec![id],
        term,
        ..pb::ForwardReply::default()
    }
}

async fn reply(replies: &Replies, reply: pb::ForwardReply) {
    // Whoever asked may be gone.
    let _ = replies.send(Ok(reply)).await;
}
