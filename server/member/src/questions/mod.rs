//! What members ask each other, and what they answer.
//!
//! Enters: requests of this member that only the leader, or only another member, can answer. Leaves: replies, or the
//! error that the other member found, as if this one had found it by itself. The bytes travel through the consensus
//! room, which does not look into them.

mod about;
mod hash;
mod leases;
mod members;
mod refusal;

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use prost::Message;
use taffrail_consensus::{Answerer, AskError};
use taffrail_proto::taffrailpb::question::Question as Asked;
use taffrail_proto::taffrailpb::reply::Reply as Told;
use taffrail_proto::taffrailpb::{Cause, Question, Refusal, Reply};

use crate::{Inner, Member};

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Unanswered {
    /// The other member says why.
    Refused(Refusal),
    /// It may or may not have heard the question.
    Unreachable,
    TimedOut,
}

/// Answers for as long as the member lives; does not keep it alive.
struct Answers(Weak<Inner>);

impl Answerer for Answers {
    fn answer(&self, _from: u64, question: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        let member = self.0.upgrade().map(Member);
        Box::pin(async move {
            let member = member.ok_or("stopped")?;
            let told = match Question::decode(question) {
                Ok(Question { question: Some(asked) }) => member.answer(asked).await,
                _ => Told::Refused(refusal::not_understood()),
            };
            Ok(Reply { reply: Some(told) }.encode_to_vec().into())
        })
    }
}

/// From now on other members are answered.
pub(crate) fn answer(member: &Member) {
    member.0.node.answer_with(Arc::new(Answers(Arc::downgrade(&member.0))));
}

impl Member {
    async fn answer(&self, asked: Asked) -> Told {
        match asked {
            Asked::ChangeMembers(change) => told(self.answer_change(change).await, Told::Members),
            Asked::KeepAlive(asked) => told(self.answer_keep_alive(asked).await, Told::KeepAlive),
            Asked::TimeToLive(asked) => told(self.answer_time_to_live(asked).await, Told::TimeToLive),
            Asked::About(_) => Told::About(self.answer_about()),
            Asked::HashKv(asked) => told(self.answer_hash(asked).await, Told::HashKv),
        }
    }

    /// Asks another member once.
    pub(crate) async fn ask(&self, member: u64, asked: Asked, patience: Duration) -> Result<Told, Unanswered> {
        let question = Question { question: Some(asked) }.encode_to_vec().into();
        let reply = self.0.node.ask(member, question, patience).await.map_err(unanswered)?;
        match Reply::decode(reply) {
            Ok(Reply {
                reply: Some(Told::Refused(refusal)),
            }) => Err(Unanswered::Refused(refusal)),
            Ok(Reply { reply: Some(told) }) => Ok(told),
            _ => Err(Unanswered::Refused(refusal::not_understood())),
        }
    }
}

fn unanswered(error: AskError) -> Unanswered {
    match error {
        AskError::Unreachable(_) => Unanswered::Unreachable,
        AskError::TimedOut => Unanswered::TimedOut,
        AskError::Refused(text) => Unanswered::Refused(Refusal {
            cause: Cause::Other.into(),
            text,
        }),
    }
}

fn told<T, E: Into<Refusal>>(answer: Result<T, E>, tell: impl FnOnce(T) -> Told) -> Told {
    match answer {
        Ok(answer) => tell(answer),
        Err(error) => Told::Refused(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_from_a_newer_version_is_refused_and_not_misread() {
        let newer = Bytes::from_static(&[0xfa, 0x3e, 0x00]);
        let question = Question::decode(newer).expect("unknown fields are skipped");
        assert_eq!(question.question, None);
    }
}
