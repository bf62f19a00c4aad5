//! Proposals of a member that does not lead, on their way to the one that does.
//!
//! The leader answers only what it did not append. What it did comes back as an entry of the log, and whoever waits
//! here gets the answer when this member applies it. A proposal names the term it is meant for and no other leader
//! appends it, so once an entry of a later term is applied here, what is still unanswered was never appended.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::StreamExt;
use taffrail_proto::taffrailpb as pb;
use taffrail_store::Answer;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::peer::{Line, PeerBook, within};

/// Proposals waiting for the stream; whoever proposes bounds their bytes.
const QUEUE_PROPOSALS_MAX: usize = 65_536;
/// Proposals in one message.
const MESSAGE_PROPOSALS_MAX: usize = 512;
/// Messages written ahead of the network.
const MESSAGES_AHEAD_MAX: usize = 4;

/// Why a forwarded proposal has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// Certainly not.
    NotAppended,
    /// It may be applied, now or later.
    Unknown,
}

struct Waiter {
    term: u64,
    answer: oneshot::Sender<Result<Answer, Unanswered>>,
}

/// Who waits here for which proposal.
#[derive(Default)]
pub struct Waiters {
    /// The length of the map, to be asked without a lock.
    count: AtomicUsize,
    by_id: Mutex<HashMap<u64, Waiter>>,
}

/// Waits; gives up its place when dropped.
pub struct Waiting<'a> {
    waiters: &'a Waiters,
    id: u64,
    pub answer: oneshot::Receiver<Result<Answer, Unanswered>>,
}

impl Waiters {
    pub fn wait(&self, id: u64, term: u64) -> Waiting<'_> {
        let (tell, answer) = oneshot::channel();
        let waiter = Waiter { term, answer: tell };
        if self.by_id().insert(id, waiter).is_none() {
            self.count.fetch_add(1, Ordering::Release);
        }
        Waiting {
            waiters: self,
            id,
            answer,
        }
    }

    pub fn are_some(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    pub fn tell(&self, id: u64, answer: Result<Answer, Unanswered>) {
        if let Some(waiter) = self.take(id) {
            // Whoever waited may have been dropped.
            let _ = waiter.answer.send(answer);
        }
    }

    /// An entry of this term is applied: earlier leaders can append nothing any more.
    pub fn term_began(&self, term: u64) {
        self.give_up(Unanswered::NotAppended, |waiter| waiter.term < term);
    }

    /// The state jumped over entries, so nobody knows which of them were among those.
    pub fn jumped(&self) {
        self.give_up(Unanswered::Unknown, |_| true);
    }

    fn give_up(&self, why: Unanswered, whom: impl Fn(&Waiter) -> bool) {
        if !self.are_some() {
            return;
        }
        let gone: Vec<u64> = self
            .by_id()
            .iter()
            .filter(|(_, waiter)| whom(waiter))
            .map(|(id, _)| *id)
            .collect();
        for id in gone {
            self.tell(id, Err(why));
        }
    }

    fn take(&self, id: u64) -> Option<Waiter> {
        let waiter = self.by_id().remove(&id)?;
        self.count.fetch_sub(1, Ordering::Release);
        Some(waiter)
    }

    fn by_id(&self) -> MutexGuard<'_, HashMap<u64, Waiter>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        drop(self.waiters.take(self.id));
    }
}

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
    for proposal in batch.proposals {
        waiters.tell(proposal.id, Err(Unanswered::NotAppended));
    }
    while let Ok(proposal) = proposals.try_recv() {
        waiters.tell(proposal.id, Err(Unanswered::NotAppended));
    }
}

fn refused(waiters: &Waiters, reply: pb::ForwardReply) {
    for id in reply.refused {
        waiters.tell(id, Err(Unanswered::NotAppended));
    }
    for id in reply.unknown {
        waiters.tell(id, Err(Unanswered::Unknown));
    }
}

/// What waits together goes together. Loses nothing when dropped before it is ready.
async fn gather(proposals: &mut mpsc::Receiver<pb::Proposal>) -> Option<pb::ForwardRequest> {
    let mut batch = Vec::new();
    let count = proposals.recv_many(&mut batch, MESSAGE_PROPOSALS_MAX).await;
    (count > 0).then_some(pb::ForwardRequest { proposals: batch })
}

/// The leader's end of the stream.
pub mod leader {
    use openraft::errors::ClientWriteError;
    use openraft::impls::ProgressResponder;

    use super::*;
    use crate::node::Raft;
    use crate::types::{Request, leader_of};

    type Replies = mpsc::Sender<Result<pb::ForwardReply, Status>>;

    /// Replies written ahead of the network.
    const REPLIES_AHEAD_MAX: usize = 64;

    pub fn serve(
        raft: Raft,
        mut requests: Streaming<pb::ForwardRequest>,
    ) -> ReceiverStream<Result<pb::ForwardReply, Status>> {
        let (replies, stream) = mpsc::channel(REPLIES_AHEAD_MAX);
        tokio::spawn(async move {
            while let Some(Ok(request)) = requests.next().await {
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
            return reply(replies, vec![], vec![id]).await;
        }
        let replies = replies.clone();
        tokio::spawn(async move {
            match outcome.await {
                Ok(Ok(_)) => {}
                Ok(Err(ClientWriteError::ForwardToLeader(_))) => reply(&replies, vec![id], vec![]).await,
                _ => reply(&replies, vec![], vec![id]).await,
            }
        });
    }

    async fn reply(replies: &Replies, refused: Vec<u64>, unknown: Vec<u64>) {
        // Whoever asked may be gone.
        let _ = replies.send(Ok(pb::ForwardReply { refused, unknown })).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taffrail_store::Response;

    fn answer() -> Answer {
        Ok(Response::LeaseCheckpoint)
    }

    #[tokio::test]
    async fn an_answer_reaches_who_waits_for_it() {
        let waiters = Waiters::default();
        let mut waiting = waiters.wait(1, 5);
        waiters.tell(2, Ok(answer()));
        waiters.term_began(5);
        assert!(waiters.are_some());
        waiters.tell(1, Ok(answer()));
        assert_eq!((&mut waiting.answer).await.unwrap(), Ok(answer()));
        assert!(!waiters.are_some());
    }

    #[tokio::test]
    async fn a_later_term_settles_what_was_not_appended() {
        let waiters = Waiters::default();
        let (mut early, late) = (waiters.wait(1, 5), waiters.wait(2, 6));
        waiters.term_began(6);
        assert_eq!((&mut early.answer).await.unwrap(), Err(Unanswered::NotAppended));
        assert!(waiters.are_some());
        drop(late);
        assert!(!waiters.are_some());
    }

    #[tokio::test]
    async fn after_a_jump_nobody_knows() {
        let waiters = Waiters::default();
        let mut waiting = waiters.wait(1, 5);
        waiters.jumped();
        assert_eq!((&mut waiting.answer).await.unwrap(), Err(Unanswered::Unknown));
    }
}
