//! Questions between members whose meaning is not this room's business.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use taffrail_proto::taffrailpb::AskRequest;
use taffrail_proto::taffrailpb::ask_reply::Result as Reply;
use tonic::Code;

use crate::Node;
use crate::error::AskError;
use crate::peer::{Line, within};

/// Who answers what other members ask. A refusal goes back as its text.
pub trait Answerer: Send + Sync + 'static {
    fn answer(&self, from: u64, question: Bytes) -> BoxFuture<'static, Result<Bytes, String>>;
}

impl Node {
    /// Sets who answers, once; until then members that ask are told to come again.
    pub fn answer_with(&self, answerer: Arc<dyn Answerer>) {
        if self.inner.answerer.set(answerer).is_err() {
            tracing::error!("somebody answers already");
        }
    }

    /// Asks another member and waits at most `patience`.
    pub async fn ask(&self, member: u64, question: Bytes, patience: Duration) -> Result<Bytes, AskError> {
        let book = &self.inner.book;
        let request = book.addressed(member, AskRequest { question });
        let mut client = book.line(member, Line::Talk, &[]);
        let answer = within(patience, client.ask(request)).await;
        let reply = book.verified(member, answer).map_err(|status| match status.code() {
            Code::DeadlineExceeded => AskError::TimedOut,
            _ => AskError::Unreachable(member),
        })?;
        match reply.result {
            Some(Reply::Answer(answer)) => Ok(answer),
            Some(Reply::Refusal(refusal)) => Err(AskError::Refused(refusal)),
            None => Err(AskError::Unreachable(member)),
        }
    }
}
