//! Requests of a history as calls, and answers back.

use taffrail_proto::etcdserverpb as wire;
use taffrail_proto::etcdserverpb::compare::TargetUnion;
use taffrail_proto::etcdserverpb::kv_client::KvClient;
use taffrail_proto::etcdserverpb::lease_client::LeaseClient;
use taffrail_proto::etcdserverpb::maintenance_client::MaintenanceClient;
use taffrail_proto::etcdserverpb::request_op::Request as Op;
use taffrail_proto::etcdserverpb::response_op::Response as OpAnswer;
use taffrail_proto::mvccpb::KeyValue;
use tonic::transport::Channel;
use tonic::{Response, Status};

use crate::history::{
    Answer, Body, Compare, Delete, Key, Pair, Put, Range, Relation, Request, Step, Target, Txn, bytes, parse,
};
use crate::requests;

const RECEIVE_BYTES_MAX: usize = 1 << 28;

pub async fn call(channel: Channel, request: &Request) -> Result<Answer, Status> {
    let mut kv = KvClient::new(channel.clone()).max_decoding_message_size(RECEIVE_BYTES_MAX);
    match request {
        Request::Put(put) => kv
            .put(put_request(put))
            .await
            .map(|got| answer(got, |got| (got.header.take(), put_body(got)))),
        Request::Delete(delete) => kv
            .delete_range(delete_request(delete))
            .await
            .map(|got| answer(got, |got| (got.header.take(), delete_body(got)))),
        Request::Range(range) => kv
            .range(range_request(range))
            .await
            .map(|got| answer(got, |got| (got.header.take(), range_body(got)))),
        Request::Txn(txn) => kv
            .txn(txn_request(txn))
            .await
            .map(|got| answer(got, |got| (got.header.take(), txn_body(got)))),
        Request::Compact { revision } => kv
            .compact(requests::compact(*revision))
            .await
            .map(|got| answer(got, |got| (got.header.take(), Body::Done))),
        Request::Hash { revision } => hash(channel, *revision).await,
        Request::Grant { .. } | Request::KeepAlive { .. } | Request::Revoke { .. } => lease(channel, request).await,
    }
}

async fn lease(channel: Channel, request: &Request) -> Result<Answer, Status> {
    let mut client = LeaseClient::new(channel);
    match *request {
        Request::Grant { lease, ttl } => {
            let granted = client.lease_grant(requests::grant(ttl, lease)).await;
            granted.map(|got| answer(got, |got| (got.header.take(), Body::Lease { ttl: got.ttl })))
        }
        Request::Revoke { lease } => {
            let revoked = client.lease_revoke(wire::LeaseRevokeRequest { id: lease }).await;
            revoked.map(|got| answer(got, |got| (got.header.take(), Body::Done)))
        }
        Request::KeepAlive { lease } => keep_alive(client, lease).await,
        _ => Err(Status::internal("not a request about leases")),
    }
}

async fn keep_alive(mut client: LeaseClient<Channel>, id: i64) -> Result<Answer, Status> {
    let once = futures::stream::iter([wire::LeaseKeepAliveRequest { id }]);
    let mut answers = client.lease_keep_alive(once).await?.into_inner();
    let kept = answers
        .message()
        .await?
        .ok_or_else(|| Status::aborted("the stream ended without an answer"))?;
    Ok(answer(Response::new(kept), |got| {
        (got.header.take(), Body::Lease { ttl: got.ttl })
    }))
}

async fn hash(channel: Channel, revision: i64) -> Result<Answer, Status> {
    let hashed = MaintenanceClient::new(channel)
        .hash_kv(wire::HashKvRequest { revision })
        .await;
    hashed.map(|got| {
        answer(got, |got| {
            (
                got.header.take(),
                Body::Hash {
                    hash: got.hash,
                    compacted: got.compact_revision,
                },
            )
        })
    })
}

fn answer<T>(response: Response<T>, take: impl FnOnce(&mut T) -> (Option<wire::ResponseHeader>, Body)) -> Answer {
    let (header, body) = take(&mut response.into_inner());
    Answer {
        revision: header.map_or(0, |header| header.revision),
        body,
    }
}

fn put_request(put: &Put) -> wire::PutRequest {
    wire::PutRequest {
        lease: put.lease,
        prev_kv: put.prev,
        ..requests::put(put.key.wire(), bytes(put.value))
    }
}

fn delete_request(delete: &Delete) -> wire::DeleteRangeRequest {
    let (key, end) = delete.span.wire();
    wire::DeleteRangeRequest {
        prev_kv: delete.prev,
        ..requests::delete_range(key, end)
    }
}

fn range_request(range: &Range) -> wire::RangeRequest {
    let (key, end) = range.span.wire();
    wire::RangeRequest {
        revision: range.revision,
        serializable: range.serializable,
        limit: range.limit,
        ..requests::range(key, end)
    }
}

fn txn_request(txn: &Txn) -> wire::TxnRequest {
    let steps = |steps: &[Step]| steps.iter().map(step_request).collect();
    requests::txn(
        txn.compares.iter().map(compare).collect(),
        steps(&txn.success),
        steps(&txn.failure),
    )
}

fn step_request(step: &Step) -> wire::RequestOp {
    requests::op(match step {
        Step::Put(put) => Op::RequestPut(put_request(put)),
        Step::Delete(delete) => Op::RequestDeleteRange(delete_request(delete)),
        Step::Range(range) => Op::RequestRange(range_request(range)),
    })
}

fn compare(compare: &Compare) -> wire::Compare {
    let result = match compare.relation {
        Relation::Equal => wire::compare::CompareResult::Equal,
        Relation::NotEqual => wire::compare::CompareResult::NotEqual,
        Relation::Greater => wire::compare::CompareResult::Greater,
        Relation::Less => wire::compare::CompareResult::Less,
    };
    let target = match compare.target {
        Target::Modified(revision) => TargetUnion::ModRevision(revision),
        Target::Created(revision) => TargetUnion::CreateRevision(revision),
        Target::Version(version) => TargetUnion::Version(version),
        Target::Value(value) => TargetUnion::Value(bytes(value)),
    };
    requests::compare(compare.key.wire(), result, target)
}

fn put_body(got: &mut wire::PutResponse) -> Body {
    Body::Put {
        prev: got.prev_kv.as_ref().map(pair),
    }
}

fn delete_body(got: &mut wire::DeleteRangeResponse) -> Body {
    Body::Delete {
        count: got.deleted,
        prev: got.prev_kvs.iter().map(pair).collect(),
    }
}

fn range_body(got: &mut wire::RangeResponse) -> Body {
    Body::Range {
        pairs: got.kvs.iter().map(pair).collect(),
        count: got.count,
        more: got.more,
    }
}

fn txn_body(got: &mut wire::TxnResponse) -> Body {
    Body::Txn {
        succeeded: got.succeeded,
        steps: got.responses.iter_mut().map(step_body).collect(),
    }
}

fn step_body(got: &mut wire::ResponseOp) -> Body {
    match &mut got.response {
        Some(OpAnswer::ResponsePut(got)) => put_body(got),
        Some(OpAnswer::ResponseDeleteRange(got)) => delete_body(got),
        Some(OpAnswer::ResponseRange(got)) => range_body(got),
        Some(OpAnswer::ResponseTxn(got)) => txn_body(got),
        None => Body::Done,
    }
}

pub fn pair(wire: &KeyValue) -> Pair {
    Pair {
        key: Key::parse(&wire.key),
        value: parse(&wire.value),
        created: wire.create_revision,
        modified: wire.mod_revision,
        version: wire.version,
        lease: wire.lease,
    }
}

/// The pair of a deletion event, which has neither value nor history.
pub fn tombstone(wire: &KeyValue) -> Pair {
    let value = if wire.value.is_empty() { 0 } else { parse(&wire.value) };
    Pair { value, ..pair(wire) }
}
