//! The transactions that a line is made of.

use bytes::Bytes;
use taffrail_proto::etcdserverpb as pb;
use taffrail_proto::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use taffrail_proto::etcdserverpb::request_op::Request;
use taffrail_proto::etcdserverpb::response_op::Response;
use taffrail_proto::mvccpb::KeyValue;

/// Deletes a key if it is still the same.
pub(crate) fn leave(key: &Bytes, create_revision: i64) -> pb::TxnRequest {
    let delete = Request::RequestDeleteRange(pb::DeleteRangeRequest {
        key: key.clone(),
        ..Default::default()
    });
    txn(vec![created_at(key, create_revision)], vec![op(delete)], Vec::new())
}

/// Gives a key another value if it is still the same.
pub(crate) fn proclaim(held: pb::Compare, value: Bytes, lease: i64) -> pb::TxnRequest {
    let put = put(&held.key, value, lease);
    txn(vec![held], vec![put], Vec::new())
}

pub(crate) fn created_at(key: &Bytes, revision: i64) -> pb::Compare {
    pb::Compare {
        result: CompareResult::Equal.into(),
        target: CompareTarget::Create.into(),
        key: key.clone(),
        target_union: Some(TargetUnion::CreateRevision(revision)),
        ..Default::default()
    }
}

pub(super) fn txn(
    compare: Vec<pb::Compare>,
    success: Vec<pb::RequestOp>,
    failure: Vec<pb::RequestOp>,
) -> pb::TxnRequest {
    pb::TxnRequest {
        compare,
        success,
        failure,
    }
}

pub(super) fn put(key: &Bytes, value: Bytes, lease: i64) -> pb::RequestOp {
    op(Request::RequestPut(pb::PutRequest {
        key: key.clone(),
        value,
        lease,
        ..Default::default()
    }))
}

pub(super) fn get(key: &Bytes) -> pb::RequestOp {
    range(pb::RangeRequest {
        key: key.clone(),
        ..Default::default()
    })
}

pub(super) fn range(range: pb::RangeRequest) -> pb::RequestOp {
    op(Request::RequestRange(range))
}

fn op(request: Request) -> pb::RequestOp {
    pb::RequestOp { request: Some(request) }
}

pub(super) fn first_of(response: Option<Response>) -> Option<KeyValue> {
    match response {
        Some(Response::ResponseRange(found)) => found.kvs.into_iter().next(),
        _ => None,
    }
}
