//! Unary calls that take long, told with what was asked (etcd v3rpc/interceptor.go).
//!
//! Whoever answers a request of the key-value service leaves a note on the thread when the call took long; whoever
//! polled the call takes it. Values and passwords are never in it. Of a flood one line a second is written; at level
//! debug every call is told.

use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use prost::Message;
use taffrail_member::{Seldom, shown};
use taffrail_proto::etcdserverpb as pb;

use crate::metrics::grpc::Method;
use crate::timestamp;

/// One line, at a level that is known when this is compiled.
macro_rules! tell {
    ($level:ident, $method:expr, $spent:expr, $remote:expr, $note:expr) => {{
        let note = $note.map_or_else(Note::unknown, |note| *note);
        let started = SystemTime::now().checked_sub($spent).unwrap_or(UNIX_EPOCH);
        let started = started.duration_since(UNIX_EPOCH).unwrap_or_default();
        tracing::$level!(
            "start time" = timestamp(started.as_micros()),
            "time spent" = format!("{:?}", $spent),
            remote = $remote,
            "response type" = $method.path(),
            "request count" = note.request_count,
            "request size" = note.request_bytes,
            "response count" = note.response_count,
            "response size" = note.response_bytes,
            "request content" = note.content,
            "request stats"
        );
    }};
}
/// A request that is larger is told by its size alone.
const KEPT_BYTES_MAX: usize = 4096;

thread_local! {
    static NOTE: Cell<Option<Box<Note>>> = const { Cell::new(None) };
}

/// What was asked and answered. A count or size of -1 says that it is not known.
struct Note {
    request_count: i64,
    request_bytes: i64,
    response_count: i64,
    response_bytes: i64,
    content: String,
}

/// A request of the key-value service, kept until it is answered.
pub(crate) trait Asked: Message + Clone {
    type Answer: Message;
    fn shown(&self) -> String;
    /// Of the requests and of the answers in it.
    fn counts(&self, answer: Option<&Self::Answer>) -> (i64, i64);
}

pub(crate) struct Slow {
    expected: Duration,
    told: Seldom,
}

/// A request under way.
pub(crate) struct Watched<A> {
    /// Boxed, as it waits in the state of every request.
    asked: Option<Box<A>>,
    request_bytes: usize,
    started: Instant,
    expected: Duration,
}

impl Slow {
    pub fn new(expected: Duration) -> Self {
        Slow {
            expected,
            told: Seldom::default(),
        }
    }

    pub fn watch<A: Asked>(&self, request: &A) -> Watched<A> {
        let request_bytes = request.encoded_len();
        Watched {
            asked: (request_bytes <= KEPT_BYTES_MAX).then(|| Box::new(request.clone())),
            request_bytes,
            started: Instant::now(),
            expected: self.expected,
        }
    }

    /// Tells of a call that has just been polled to its end.
    pub fn call_ended(&self, method: Method, started: Instant, remote: &str) {
        let note = NOTE.take();
        let spent = started.elapsed();
        if tracing::enabled!(tracing::Level::DEBUG) {
            tell!(debug, method, spent, remote, note);
        } else if spent > self.expected && self.told.is_due() {
            tell!(warn, method, spent, remote, note);
        }
    }
}

impl Note {
    fn unknown() -> Self {
        Note {
            request_count: -1,
            request_bytes: -1,
            response_count: -1,
            response_bytes: -1,
            content: String::new(),
        }
    }
}

impl<A: Asked> Watched<A> {
    /// Leaves a note if anybody will want it.
    pub fn answered<E>(self, answer: &Result<A::Answer, E>) {
        if self.started.elapsed() <= self.expected && !tracing::enabled!(tracing::Level::DEBUG) {
            return;
        }
        let answer = answer.as_ref().ok();
        let counts = self.asked.as_ref().map(|asked| asked.counts(answer));
        let (request_count, response_count) = counts.unwrap_or((-1, -1));
        NOTE.set(Some(Box::new(Note {
            request_count,
            request_bytes: self.request_bytes as i64,
            response_count,
            response_bytes: answer.map_or(0, |answer| answer.encoded_len() as i64),
            content: self.asked.as_ref().map_or(String::new(), |asked| asked.shown()),
        })));
    }
}

impl Asked for pb::RangeRequest {
    type Answer = pb::RangeResponse;

    fn shown(&self) -> String {
        shown::range(self)
    }

    fn counts(&self, answer: Option<&pb::RangeResponse>) -> (i64, i64) {
        (0, answer.map_or(0, |answer| answer.count))
    }
}

impl Asked for pb::PutRequest {
    type Answer = pb::PutResponse;

    fn shown(&self) -> String {
        shown::put(self)
    }

    fn counts(&self, _: Option<&pb::PutResponse>) -> (i64, i64) {
        (1, 0)
    }
}

impl Asked for pb::DeleteRangeRequest {
    type Answer = pb::DeleteRangeResponse;

    fn shown(&self) -> String {
        shown::delete_range(self)
    }

    fn counts(&self, answer: Option<&pb::DeleteRangeResponse>) -> (i64, i64) {
        (0, answer.map_or(0, |answer| answer.deleted))
    }
}

impl Asked for pb::TxnRequest {
    type Answer = pb::TxnResponse;

    fn shown(&self) -> String {
        shown::txn(self)
    }

    fn counts(&self, answer: Option<&pb::TxnResponse>) -> (i64, i64) {
        let ran = answer.map(|answer| if answer.succeeded { &self.success } else { &self.failure });
        (ran.map_or(0, |ops| ops.len() as i64), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(value_bytes: usize) -> pb::PutRequest {
        pb::PutRequest {
            key: "k".into(),
            value: vec![b'x'; value_bytes].into(),
            ..Default::default()
        }
    }

    fn noted(expected: Duration, request: &pb::PutRequest) -> Option<Box<Note>> {
        let watched = Slow::new(expected).watch(request);
        watched.answered(&Ok::<_, ()>(pb::PutResponse::default()));
        NOTE.take()
    }

    #[test]
    fn only_what_took_long_leaves_a_note() {
        assert!(noted(Duration::MAX, &put(3)).is_none());
        let note = noted(Duration::ZERO, &put(3)).expect("everything takes longer than nothing");
        assert_eq!(
            (note.request_count, note.content.as_str()),
            (1, r#"key:"k" value_size:3"#)
        );
    }

    #[test]
    fn a_large_request_is_told_by_its_size() {
        let note = noted(Duration::ZERO, &put(KEPT_BYTES_MAX)).expect("slow");
        assert!(note.content.is_empty() && note.request_bytes > KEPT_BYTES_MAX as i64);
    }
}
