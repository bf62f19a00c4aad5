//! A prefix before every key that clients do not see (etcd client/v3/namespace).

use bytes::Bytes;
use taffrail_proto::etcdserverpb as pb;
use taffrail_proto::etcdserverpb::request_op::Request;
use taffrail_proto::etcdserverpb::response_op::Response;
use taffrail_proto::mvccpb::{Event, KeyValue};

use crate::remote::after_prefix;

/// Keys of clients <-> keys of the cluster. Empty where both are the same.
#[derive(Debug, Clone, Default)]
pub struct Namespace(Bytes);

impl Namespace {
    pub fn new(prefix: &str) -> Self {
        Namespace(prefix.to_owned().into())
    }

    pub fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// A range of the cluster's keys: one without end stops where the namespace does.
    pub fn enter(&self, key: &mut Bytes, range_end: &mut Bytes) {
        if self.is_everything() {
            return;
        }
        *key = self.under(key);
        *range_end = match range_end.as_ref() {
            b"" => Bytes::new(),
            b"\0" => after_prefix(&self.0).into(),
            _ => self.under(range_end),
        };
    }

    fn under(&self, key: &[u8]) -> Bytes {
        [&self.0, key].concat().into()
    }

    fn leave(&self, key: &mut Bytes) {
        *key = key.slice(self.0.len().min(key.len())..);
    }

    fn leave_all<'a>(&self, pairs: impl IntoIterator<Item = &'a mut KeyValue>) {
        pairs.into_iter().for_each(|pair| self.leave(&mut pair.key));
    }

    pub fn leave_event(&self, event: &mut Event) {
        self.leave_all(event.kv.as_mut());
        self.leave_all(event.prev_kv.as_mut());
    }

    pub fn range(&self, request: &mut pb::RangeRequest) {
        self.enter(&mut request.key, &mut request.range_end);
    }

    pub fn ranged(&self, answer: &mut pb::RangeResponse) {
        self.leave_all(&mut answer.kvs);
    }

    pub fn put(&self, request: &mut pb::PutRequest) {
        self.enter(&mut request.key, &mut Bytes::new());
    }

    pub fn has_put(&self, answer: &mut pb::PutResponse) {
        self.leave_all(answer.prev_kv.as_mut());
    }

    pub fn delete(&self, request: &mut pb::DeleteRangeRequest) {
        self.enter(&mut request.key, &mut request.range_end);
    }

    pub fn deleted(&self, answer: &mut pb::DeleteRangeResponse) {
        self.leave_all(&mut answer.prev_kvs);
    }

    pub fn txn(&self, request: &mut pb::TxnRequest) {
        for compare in &mut request.compare {
            self.enter(&mut compare.key, &mut compare.range_end);
        }
        for op in request.success.iter_mut().chain(&mut request.failure) {
            match &mut op.request {
                Some(Request::RequestRange(range)) => self.range(range),
                Some(Request::RequestPut(put)) => self.put(put),
                Some(Request::RequestDeleteRange(delete)) => self.delete(delete),
                Some(Request::RequestTxn(txn)) => self.txn(txn),
                None => {}
            }
        }
    }

    pub fn done(&self, answer: &mut pb::TxnResponse) {
        for op in &mut answer.responses {
            match &mut op.response {
                Some(Response::ResponseRange(range)) => self.ranged(range),
                Some(Response::ResponsePut(put)) => self.has_put(put),
                Some(Response::ResponseDeleteRange(delete)) => self.deleted(delete),
                Some(Response::ResponseTxn(txn)) => self.done(txn),
                None => {}
            }
        }
    }

    /// Keys of other namespaces are nobody's business here.
    pub fn living(&self, answer: &mut pb::LeaseTimeToLiveResponse) {
        answer.keys.retain(|key| key.starts_with(&self.0));
        answer.keys.iter_mut().for_each(|key| self.leave(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(key: &'static str, end: &'static str) -> (Bytes, Bytes) {
        let (mut key, mut end) = (Bytes::from(key), Bytes::from(end));
        Namespace::new("ns/").enter(&mut key, &mut end);
        (key, end)
    }

    #[test]
    fn no_range_leads_out() {
        assert_eq!(range("a", ""), ("ns/a".into(), "".into()));
        assert_eq!(range("a", "b"), ("ns/a".into(), "ns/b".into()));
        assert_eq!(range("\0", "\0"), ("ns/\0".into(), "ns0".into()));
    }

    #[test]
    fn nested_transactions_are_entered_and_left() {
        let space = Namespace::new("ns/");
        let op = |request| pb::RequestOp { request: Some(request) };
        let get = pb::RangeRequest {
            key: "k".into(),
            ..pb::RangeRequest::default()
        };
        let inner = pb::TxnRequest {
            success: vec![op(Request::RequestRange(get))],
            ..pb::TxnRequest::default()
        };
        let mut outer = pb::TxnRequest {
            compare: vec![pb::Compare {
                key: "c".into(),
                ..pb::Compare::default()
            }],
            failure: vec![op(Request::RequestTxn(inner))],
            ..pb::TxnRequest::default()
        };
        space.txn(&mut outer);
        assert_eq!(outer.compare[0].key, "ns/c");
        let Some(Request::RequestTxn(inner)) = &outer.failure[0].request else {
            panic!("{outer:?}")
        };
        let Some(Request::RequestRange(get)) = &inner.success[0].request else {
            panic!("{inner:?}")
        };
        assert_eq!(get.key, "ns/k");
        let found = KeyValue {
            key: get.key.clone(),
            ..KeyValue::default()
        };
        let mut answer = pb::RangeResponse {
            kvs: vec![found],
            ..pb::RangeResponse::default()
        };
        space.ranged(&mut answer);
        assert_eq!(answer.kvs[0].key, "k");
    }

    #[test]
    fn keys_of_others_on_a_lease_are_not_told() {
        let mut answer = pb::LeaseTimeToLiveResponse {
            keys: vec!["ns/a".into(), "other".into()],
            ..pb::LeaseTimeToLiveResponse::default()
        };
        Namespace::new("ns/").living(&mut answer);
        assert_eq!(answer.keys, ["a"]);
    }
}
