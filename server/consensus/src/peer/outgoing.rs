//! Entries on their way to one peer: bounded while unanswered, and without messages that say next to nothing.
//!
//! After every commit raft tells each follower the new commit index in a message of its own. If more entries follow
//! at once, they say it as well; so such a message waits a moment for them, unless the follower is known to wait.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{Stream, StreamExt};
use openraft::raft::AppendEntriesRequest;
use prost::Message;
use taffrail_proto::taffrailpb as pb;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::book::PeerBook;
use super::hurry::Hurry;
use super::wire;
use crate::types::{LogId, TypeConfig};

/// Bytes of entries on their way to one peer without an answer. One message may be larger; then it goes alone.
const INFLIGHT_BYTES_MAX: usize = 16 << 20;
/// Messages on their way to one peer without an answer.
const INFLIGHT_MESSAGES_MAX: usize = 64;
/// How long a commit index waits for entries to go with.
const LINGER: Duration = Duration::from_millis(1);

type Request = AppendEntriesRequest<TypeConfig>;

/// The messages of one stream, in order.
pub struct Outgoing<S> {
    pub input: S,
    pub first: Option<Request>,
    /// A message that only moves the commit index.
    pub held: Option<Request>,
    /// The last entry that a message of this stream covered.
    pub sent_upto: Option<LogId>,
    pub expected: Expected,
    pub hurry: Arc<Hurry>,
    pub book: Arc<PeerBook>,
    pub target: u64,
}

impl<S: Stream<Item = Request> + Unpin> Outgoing<S> {
    pub async fn next(mut self) -> Option<(pb::AppendRequest, Self)> {
        let request = self.choose().await?;
        self.sent_upto = request.entries.last().map(|entry| entry.log_id).or(request.prev_log_id);
        let message = wire::append(request)
            .inspect_err(|error| tracing::error!(%error, "an entry cannot be sent"))
            .ok()?;
        let bytes = message.encoded_len();
        self.expected.admit(bytes).await;
        self.book.recorder.peer_sent(self.target, bytes as u64);
        Some((message, self))
    }

    async fn choose(&mut self) -> Option<Request> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            let Some(held) = self.held.take() else {
                let next = self.input.next().await?;
                if !self.may_wait(&next) {
                    return Some(next);
                }
                self.held = Some(next);
                continue;
            };
            tokio::select! {
                biased;
                next = self.input.next() => {
                    // The next message says what this one did; its answer comes with the one before.
                    self.expected.merge(held.prev_log_id);
                    let next = next?;
                    if !self.may_wait(&next) {
                        return Some(next);
                    }
                    self.held = Some(next);
                }
                () = self.hurry.wait(LINGER) => return Some(held),
            }
        }
    }

    /// Nothing but a commit index, for a follower that has everything before and is not known to wait.
    fn may_wait(&self, request: &Request) -> bool {
        request.entries.is_empty()
            && request.prev_log_id.is_some()
            && request.prev_log_id == self.sent_upto
            && !self.hurry.is_on()
    }
}

enum Answer {
    /// Frees its place when it comes.
    Real { _room: [OwnedSemaphorePermit; 2] },
    /// Follows from the one before.
    Merged(Option<LogId>),
}

/// What is on its way without an answer; answers come in the order of the messages.
#[derive(Clone)]
pub struct Expected {
    room_bytes: Arc<Semaphore>,
    room_messages: Arc<Semaphore>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
}

impl Default for Expected {
    fn default() -> Self {
        Self {
            room_bytes: Arc::new(Semaphore::new(INFLIGHT_BYTES_MAX)),
            room_messages: Arc::new(Semaphore::new(INFLIGHT_MESSAGES_MAX)),
            answers: Arc::default(),
        }
    }
}

impl Expected {
    async fn admit(&self, bytes: usize) {
        let bytes = bytes.min(INFLIGHT_BYTES_MAX) as u32;
        let permits = (
            self.room_bytes.clone().acquire_many_owned(bytes).await,
            self.room_messages.clone().acquire_owned().await,
        );
        // The semaphores are never closed.
        if let (Ok(bytes), Ok(message)) = permits {
            self.answers().push_back(Answer::Real {
                _room: [bytes, message],
            });
        }
    }

    fn merge(&self, matched: Option<LogId>) {
        self.answers().push_back(Answer::Merged(matched));
    }

    /// The answer of a message that was never sent, once everything before it is answered.
    pub fn merged(&self) -> Option<Option<LogId>> {
        let mut answers = self.answers();
        match answers.front() {
            Some(Answer::Merged(matched)) => {
                let matched = *matched;
                answers.pop_front();
                Some(matched)
            }
            _ => None,
        }
    }

    pub fn answered(&self) {
        drop(self.answers().pop_front());
    }

    fn answers(&self) -> MutexGuard<'_, VecDeque<Answer>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::log_id;
    use taffrail_store::Position;

    #[tokio::test]
    async fn what_is_on_its_way_is_bounded_in_bytes() {
        let expected = Expected::default();
        expected.admit(INFLIGHT_BYTES_MAX * 2).await;
        let next = tokio::spawn({
            let expected = expected.clone();
            async move { expected.admit(1).await }
        });
        tokio::task::yield_now().await;
        assert!(!next.is_finished());
        expected.answered();
        next.await.unwrap();
    }

    #[tokio::test]
    async fn a_merged_answer_comes_after_those_before_it() {
        let matched = log_id(Position { term: 1, index: 4 });
        let expected = Expected::default();
        expected.admit(1).await;
        expected.merge(matched);
        expected.admit(1).await;
        assert_eq!(expected.merged(), None);
        expected.answered();
        assert_eq!(expected.merged(), Some(matched));
        assert_eq!(expected.merged(), None);
    }
}
