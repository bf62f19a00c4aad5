//! Random requests over few keys, so that they meet.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use taffrail_proto::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use taffrail_proto::etcdserverpb::request_op::Request;
use taffrail_proto::etcdserverpb::{
    CompactionRequest, Compare, DeleteRangeRequest, InternalRaftRequest, LeaseCheckpoint, LeaseCheckpointRequest,
    PutRequest, RangeRequest, TxnRequest,
};

use crate::common::{grant, op, put_with, revoke, txn};

#[derive(Debug, Clone)]
pub enum Step {
    Apply(Vec<InternalRaftRequest>),
    Clean,
    Reopen,
    /// Goes on with a copy of the folder, taken without closing the store.
    Crash,
    /// Goes on with what was sent to another store, or to itself.
    Transfer {
        elsewhere: bool,
    },
    Check,
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => vec(request(), 1..8).prop_map(Step::Apply),
        1 => Just(Step::Clean),
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
        1 => any::<bool>().prop_map(|elsewhere| Step::Transfer { elsewhere }),
        1 => Just(Step::Check),
    ];
    vec(step, 1..14)
}

/// Keys that differ in the bytes that escaping is about.
pub fn key() -> impl Strategy<Value = Bytes> {
    let keys: [&'static [u8]; 8] = [b"a", b"a\0", b"a\0\xff", b"a\x01", b"b", b"b\xff", b"c", b"\xff"];
    prop::sample::select(keys.to_vec()).prop_map(Bytes::from_static)
}

pub fn end() -> impl Strategy<Value = Bytes> {
    prop_oneof![3 => Just(Bytes::new()), 1 => Just(Bytes::from_static(b"\0")), 2 => key()]
}

fn request() -> impl Strategy<Value = InternalRaftRequest> {
    let none = InternalRaftRequest::default;
    prop_oneof![
        10 => put().prop_map(put_with),
        3 => delete().prop_map(move |delete| InternalRaftRequest { delete_range: Some(delete), ..none() }),
        4 => txn_request(2).prop_map(txn),
        2 => (-1i64..40).prop_map(move |revision| InternalRaftRequest {
            compaction: Some(CompactionRequest { revision, physical: false }), ..none()
        }),
        1 => (0i64..4, 1i64..100).prop_map(|(id, ttl)| grant(id, ttl)),
        1 => (1i64..4).prop_map(revoke),
        1 => (1i64..4, 0i64..50).prop_map(move |(id, remaining_ttl)| InternalRaftRequest {
            lease_checkpoint: Some(LeaseCheckpointRequest { checkpoints: vec![LeaseCheckpoint { id, remaining_ttl }] }),
            ..none()
        }),
    ]
}

fn put() -> impl Strategy<Value = PutRequest> {
    let lease = prop_oneof![4 => Just(0i64), 1 => 1i64..4];
    let keep = prop::bool::weighted(0.1);
    (key(), "[a-z]{0,12}", lease, any::<bool>(), keep, keep).prop_map(
        |(key, value, lease, prev_kv, ignore_value, ignore_lease)| PutRequest {
            key,
            value: if ignore_value { Bytes::new() } else { value.into() },
            lease: if ignore_lease { 0 } else { lease },
            prev_kv,
            ignore_value,
            ignore_lease,
        },
    )
}

fn delete() -> impl Strategy<Value = DeleteRangeRequest> {
    (key(), end(), any::<bool>()).prop_map(|(key, range_end, prev_kv)| DeleteRangeRequest {
        key,
        range_end,
        prev_kv,
    })
}

/// Every option, also senseless ones; revisions are relative to nothing, many are refused.
pub fn range(revisions: impl Strategy<Value = i64>) -> impl Strategy<Value = RangeRequest> {
    let bound = || prop_oneof![4 => Just(0i64), 1 => 1i64..30];
    let flags = (prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    let sort = (
        prop_oneof![2 => Just(0i32), 2 => 1i32..3],
        prop_oneof![2 => Just(0i32), 2 => 1i32..5],
    );
    (
        key(),
        end(),
        -1i64..5,
        revisions,
        sort,
        flags,
        [bound(), bound(), bound(), bound()],
    )
        .prop_map(|(key, range_end, limit, revision, sort, flags, bounds)| RangeRequest {
            key,
            range_end,
            limit,
            revision,
            sort_order: sort.0,
            sort_target: sort.1,
            serializable: false,
            keys_only: flags.0,
            count_only: flags.1,
            min_mod_revision: bounds[0],
            max_mod_revision: bounds[1],
            min_create_revision: bounds[2],
            max_create_revision: bounds[3],
        })
}

fn compare() -> impl Strategy<Value = Compare> {
    let value = prop::option::of(prop_oneof![
        (0i64..4).prop_map(TargetUnion::Version),
        (0i64..20).prop_map(TargetUnion::CreateRevision),
        (0i64..20).prop_map(TargetUnion::ModRevision),
        "[a-z]{0,2}".prop_map(|value| TargetUnion::Value(value.into())),
        (0i64..4).prop_map(TargetUnion::Lease),
    ]);
    (key(), end(), 0i32..4, value, prop::option::weighted(0.1, 0i32..6)).prop_map(
        |(key, range_end, result, target_union, odd)| {
            let target = match &target_union {
                Some(TargetUnion::Version(_)) | None => CompareTarget::Version,
                Some(TargetUnion::CreateRevision(_)) => CompareTarget::Create,
                Some(TargetUnion::ModRevision(_)) => CompareTarget::Mod,
                Some(TargetUnion::Value(_)) => CompareTarget::Value,
                Some(TargetUnion::Lease(_)) => CompareTarget::Lease,
            };
            let result = CompareResult::try_from(result).unwrap_or_default() as i32;
            Compare {
                result,
                target: odd.unwrap_or(target as i32),
                key,
                range_end,
                target_union,
            }
        },
    )
}

fn txn_request(depth: u32) -> BoxedStrategy<TxnRequest> {
    let revision = prop_oneof![3 => Just(0i64), 1 => -2i64..20];
    let nested = match depth {
        0 => put().prop_map(Request::RequestPut).boxed(),
        depth => txn_request(depth - 1).prop_map(Request::RequestTxn).boxed(),
    };
    let operation = prop_oneof![
        4 => put().prop_map(Request::RequestPut),
        2 => delete().prop_map(Request::RequestDeleteRange),
        2 => range(revision).prop_map(Request::RequestRange),
        1 => nested,
    ];
    let operations = vec(operation.prop_map(op), 0..4);
    (vec(compare(), 0..3), operations.clone(), operations)
        .prop_map(|(compare, success, failure)| TxnRequest {
            compare,
            success,
            failure,
        })
        .boxed()
}
