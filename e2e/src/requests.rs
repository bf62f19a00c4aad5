//! Requests in few words.

use bytes::Bytes;
use taffrail_proto::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use taffrail_proto::etcdserverpb::request_op::Request;
use taffrail_proto::etcdserverpb::{
    CompactionRequest, Compare, DeleteRangeRequest, LeaseGrantRequest, PutRequest, RangeRequest, RequestOp, TxnRequest,
    WatchCreateRequest,
};

/// The end of a range that has none.
pub const FROM_KEY: &[u8] = b"\0";

pub fn put(key: impl Into<Bytes>, value: impl Into<Bytes>) -> PutRequest {
    PutRequest {
        key: key.into(),
        value: value.into(),
        ..PutRequest::default()
    }
}
pub fn get(key: impl Into<Bytes>) -> RangeRequest {
    RangeRequest {
        key: key.into(),
        ..RangeRequest::default()
    }
}
pub fn range(key: impl Into<Bytes>, end: impl Into<Bytes>) -> RangeRequest {
    RangeRequest {
        key: key.into(),
        range_end: end.into(),
        ..RangeRequest::default()
    }
}
pub fn everything() -> RangeRequest {
    range(FROM_KEY, FROM_KEY)
}
pub fn delete(key: impl Into<Bytes>) -> DeleteRangeRequest {
    DeleteRangeRequest {
        key: key.into(),
        ..DeleteRangeRequest::default()
    }
}
pub fn delete_range(key: impl Into<Bytes>, end: impl Into<Bytes>) -> DeleteRangeRequest {
    DeleteRangeRequest {
        key: key.into(),
        range_end: end.into(),
        ..DeleteRangeRequest::default()
    }
}
pub fn compact(revision: i64) -> CompactionRequest {
    CompactionRequest {
        revision,
        physical: false,
    }
}
pub fn grant(ttl: i64, id: i64) -> LeaseGrantRequest {
    LeaseGrantRequest { ttl, id }
}
pub fn watch(key: impl Into<Bytes>, start_revision: i64) -> WatchCreateRequest {
    WatchCreateRequest {
        key: key.into(),
        start_revision,
        ..WatchCreateRequest::default()
    }
}
pub fn watch_range(key: impl Into<Bytes>, end: impl Into<Bytes>, start_revision: i64) -> WatchCreateRequest {
    WatchCreateRequest {
        range_end: end.into(),
        ..watch(key, start_revision)
    }
}

/// An operation of a transaction.
pub fn op(request: Request) -> RequestOp {
    RequestOp { request: Some(request) }
}
pub fn op_put(key: impl Into<Bytes>, value: impl Into<Bytes>) -> RequestOp {
    op(Request::RequestPut(put(key, value)))
}
pub fn op_get(key: impl Into<Bytes>) -> RequestOp {
    op(Request::RequestRange(get(key)))
}
pub fn op_delete(key: impl Into<Bytes>, end: impl Into<Bytes>) -> RequestOp {
    op(Request::RequestDeleteRange(delete_range(key, end)))
}
pub fn op_txn(txn: TxnRequest) -> RequestOp {
    op(Request::RequestTxn(txn))
}
pub fn txn(compare: Vec<Compare>, success: Vec<RequestOp>, failure: Vec<RequestOp>) -> TxnRequest {
    TxnRequest {
        compare,
        success,
        failure,
    }
}

pub fn compare(key: impl Into<Bytes>, result: CompareResult, target: TargetUnion) -> Compare {
    let kind = match target {
        TargetUnion::Version(_) => CompareTarget::Version,
        TargetUnion::CreateRevision(_) => CompareTarget::Create,
        TargetUnion::ModRevision(_) => CompareTarget::Mod,
        TargetUnion::Value(_) => CompareTarget::Value,
        TargetUnion::Lease(_) => CompareTarget::Lease,
    };
    Compare {
        result: result.into(),
        target: kind.into(),
        key: key.into(),
        target_union: Some(target),
        ..Compare::default()
    }
}
pub fn value_is(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Compare {
    compare(key, CompareResult::Equal, TargetUnion::Value(value.into()))
}
pub fn version_is(key: impl Into<Bytes>, version: i64) -> Compare {
    compare(key, CompareResult::Equal, TargetUnion::Version(version))
}
