//! What takes longer than expected is told, with what was asked (etcd txn/util.go).
//!
//! Everything slow is counted; of a flood one line a second is written.

use std::sync::OnceLock;
use std::time::Duration;

use prost::Message;
use taffrail_proto::etcdserverpb::response_op::Response as OpResponse;
use taffrail_proto::etcdserverpb::{RangeRequest, RangeResponse, TxnRequest, TxnResponse};
use taffrail_store::{Answer, Response};

use crate::seldom::Seldom;
use crate::{ReadError, shown};

#[derive(Debug, Default)]
pub(crate) struct Slow {
    expected: OnceLock<Duration>,
    told: Seldom,
}

impl Slow {
    /// Nothing is slow before this is known.
    pub fn warn_above(&self, expected: Duration) {
        // A member is told once, at its birth.
        let _ = self.expected.set(expected);
    }

    pub fn is_slow(&self, took: Duration) -> bool {
        self.expected.get().is_some_and(|expected| took > *expected)
    }

    pub fn entry(&self, took: Duration, entry: &[u8], answer: &Answer) {
        let response = || answer.as_ref().map_or(String::new(), size);
        self.tell(took, "", || shown::entry(entry), response, answer.as_ref().err());
    }

    pub fn range(&self, took: Duration, request: &RangeRequest, answer: &Result<RangeResponse, ReadError>) {
        let response = || answer.as_ref().map_or(String::new(), range_size);
        let request = || shown::range(request);
        self.tell(took, "read-only range ", request, response, answer.as_ref().err());
    }

    pub fn read_txn(&self, took: Duration, request: &TxnRequest, answer: &Result<TxnResponse, ReadError>) {
        let response = || answer.as_ref().map_or(String::new(), txn_size);
        let request = || shown::txn(request);
        self.tell(took, "read-only txn ", request, response, answer.as_ref().err());
    }

    fn tell<E: std::fmt::Display>(
        &self,
        took: Duration,
        prefix: &str,
        request: impl FnOnce() -> String,
        response: impl FnOnce() -> String,
        error: Option<&E>,
    ) {
        if !self.told.is_due() {
            return;
        }
        tracing::warn!(
            took = format!("{took:?}"),
            expected_duration = format!("{:?}", self.expected.get().copied().unwrap_or_default()),
            prefix,
            request = request(),
            response = response(),
            error = error.map(tracing::field::display),
            "apply request took too long"
        );
    }
}

fn range_size(answer: &RangeResponse) -> String {
    format!(
        "range_response_count:{} size:{}",
        answer.kvs.len(),
        answer.encoded_len()
    )
}

fn txn_size(answer: &TxnResponse) -> String {
    let count = |op: &OpResponse| match op {
        OpResponse::ResponseRange(range) => Some(format!("range_response_count:{}", range.kvs.len())),
        _ => None,
    };
    let ops = answer.responses.iter().filter_map(|op| op.response.as_ref());
    let counts: Vec<_> = ops.filter_map(count).collect();
    format!("responses:<{}> size:{}", counts.join(" "), answer.encoded_len())
}

fn size(answer: &Response) -> String {
    let bytes = match answer {
        Response::Put(answer) => answer.encoded_len(),
        Response::DeleteRange(answer) => answer.encoded_len(),
        Response::Txn(answer) => answer.encoded_len(),
        Response::Compaction(answer) => answer.encoded_len(),
        Response::LeaseGrant(answer) => answer.encoded_len(),
        Response::LeaseRevoke(answer) => answer.encoded_len(),
        Response::Alarm(answer) => answer.encoded_len(),
        Response::Nothing | Response::LeaseCheckpoint | Response::Auth | Response::Authenticated { .. } => {
            return String::new();
        }
    };
    format!("size:{bytes}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_slow_until_it_is_known_what_is() {
        let slow = Slow::default();
        assert!(!slow.is_slow(Duration::MAX));
        slow.warn_above(Duration::from_millis(100));
        assert!(!slow.is_slow(Duration::from_millis(100)));
        assert!(slow.is_slow(Duration::from_millis(101)));
    }
}
