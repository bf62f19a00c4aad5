//! Proposals of a member that does not lead, on their way to the one that does.
//!
//! The leader answers only what it did not append. What it did comes back as an entry of the log, and whoever waits
//! here gets the answer when this member applies it. A proposal names the term it is meant for and no other leader
//! appends it, so once an entry of a later term is applied here, what is still unanswered was never appended. It is
//! then tried again under the same id in the later term, and what the earlier leader may yet say is not about that.

pub mod leader;
mod waiters;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use taffrail_proto::taffrailpb as pb;
use taffrail_store::Answer;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::peer::{Line, PeerBook, within};
pub use waiters::{Unanswered, Waiters};

/// Proposals waiting for the stream; whoever proposes bounds their bytes.
const QUEUE_PROPOSALS_MAX: usize = 65_536;
/// Proposals in one message.
const MESSAGE_PROPOSALS_MAX: usize = 512;
/// Messages written ahead of the network.
const MESSAGES_AHEAD_MAX: usize = 4;

/// The streams to those that lead, or led.
pub struct Forwarder {
    book: Arc<PeerBook>,
    pub waiters: Arc<Waiters>,
    queues: Mutex<HashMap<u64, mpsc::Sender<pb::Proposal>>>,
}

impl Forwarder {
    pub fn new(book: Arc<PeerBook>, waiters: Arc<Waiters>) -> Self {
        Self {
            book,
            waiters,
            queues: Mutex::default(),
        }
    }

    /// Sends a proposal to the leader of this term and waits until it is applied here.
    pub async fn forward(&self, leader: u64, term: u64, id: u64, content: Bytes) -> Result<Answer, Unanswered> {
        let mut waiting = self.waiters.wait(id, term);
        let proposal = pb::Proposal { id, term, content };
        if self.queue(leader).send(proposal).await.is_err() {
            return Err(Unanswered::NotAppended);
        }
        // The sender goes without a word only if the node stops.
        (&mut waiting.answer).await.unwrap_or(Err(Unanswered::Unknown))
    }

    fn queue(&self, leader: u64) -> mpsc::Sender<pb::Proposal> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let start = || {
            let (queue, proposals) = mpsc::channel(QUEUE_PROPOSALS_MAX);
            tokio::spawn(send(self.book.clone(), self.waiters.clone(), leader, proposals));
            queue
        };
        queues.entry(leader).or_insert_with(start).clone()
    }
}

/// Keeps a stream to one member for as long as there is something to send.
async fn send(book: Arc<PeerBook>, waiters: Arc<Waiters>, leader: u64, mut proposals: mpsc::Receiver<pb::Proposal>) {
    while let Some(batch) = gather(&mut proposals).await {
        match open(&book, leader).await {
            Ok(stream) => {
                let broke = stream.carry(&waiters, batch, &mut proposals).await;
                tracing::debug!(
                    peer_id = format!("{leader:016x}"),
                    ?broke,
                    "a stream of forwarded proposals ended"
                );
            }
            Err(status) => {
                tracing::debug!(peer_id = format!("{leader:016x}"), %status, "no stream for forwarded proposals");
                not_sent(&waiters, batch, &mut proposals);
            }
        }
    }
}

struct Stream {
    outgoing: mpsc::Sender<pb::ForwardRequest>,
    replies: Streaming<pb::ForwardReply>,
}

/// Nothing is sent before the other side has taken the call, so if this fails nothing was appended.
async fn open(book: &Arc<PeerBook>, leader: u64) -> Result<Stream, Status> {
    let (outgoing, messages) = mpsc::channel(MESSAGES_AHEAD_MAX);
    let request = book.addressed(leader, ReceiverStream::new(messages));
    let answer = within(book.pace.election, book.line(leader, Line::Talk, &[]).forward(request)).await;
    let replies = book.verified(leader, answer)?;
    Ok(Stream { outgoing, replies })
}

impl Stream {
    /// Until it breaks. What was sent and not refused may have been appended: it waits for its entry.
    async fn carry(
        mut self,
        waiters: &Waiters,
        first: pb::ForwardRequest,
        proposals: &mut mpsc::Receiver<pb::Proposal>,
    ) -> Result<(), Status> {
        let broken = || Status::unavailable("broken");
        self.outgoing.send(first).await.map_err(|_| broken())?;
        loop {
            tokio::select! {
                reply = self.replies.message() => refused(waiters, reply?.ok_or_else(broken)?),
                batch = gather(proposals) => match batch {
                    Some(batch) => self.outgoing.send(batch).await.map_err(|_| broken())?,
                    None => return Ok(()),
                },
            }
        }
    }
}

fn not_sent(waiters: &Waiters, batch: pb::ForwardRequest, proposals: &mut mpsc::Receiver<pb::Proposal>) {
    let not_appended = |proposal: pb::Proposal| waiters.tell_of(proposal.id, proposal.term, Unanswered::NotAppended);
    batch.proposals.into_iter().for_each(not_appended);
    while let Ok(proposal) = proposals.try_recv() {
        not_appended(proposal);
    }
}

fn refused(waiters: &Waiters, reply: pb::ForwardReply) {
    for id in reply.refused {
        waiters.tell_of(id, reply.term, Unanswered::NotAppended);
    }
    for id in reply.unknown {
        waiters.tell_of(id, reply.term, Unanswered::Unknown);
    }
}

/// What waits together goes together. Loses nothing when dropped before it is ready.
async fn gather(proposals: &mut mpsc::Receiver<pb::Proposal>) -> Option<pb::ForwardRequest> {
    let mut batch = Vec::new();
    let count = proposals.recv_many(&mut batch, MESSAGE_PROPOSALS_MAX).await;
    (count > 0).then_some(pb::ForwardRequest { proposals: batch })
}
