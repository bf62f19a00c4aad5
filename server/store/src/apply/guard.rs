//! What an alarm forbids.

use taffrail_proto::etcdserverpb::request_op::Request;
use taffrail_proto::etcdserverpb::{AlarmType, InternalRaftRequest, RequestOp, TxnRequest};

use crate::state::Facts;
use crate::{ApplyError, Corrupt, NoSpace};

/// In etcd's order: a corrupt cluster is corrupt before it is full.
pub(super) fn check(facts: &Facts, request: &InternalRaftRequest) -> Result<(), ApplyError> {
    if facts.alarms.is_empty() {
        return Ok(());
    }
    if facts.alarm_is_on(AlarmType::Corrupt) && touches_data(request) {
        return Err(Corrupt.into());
    }
    if facts.alarm_is_on(AlarmType::Nospace) && grows(request) {
        return Err(NoSpace.into());
    }
    Ok(())
}

/// All else says something about alarms, members, versions, users or what is left of leases: a member that comes
/// back to be looked at must be able to publish its name, and whoever looks must be let in.
fn touches_data(request: &InternalRaftRequest) -> bool {
    request.range.is_some()
        || request.put.is_some()
        || request.delete_range.is_some()
        || request.txn.is_some()
        || request.compaction.is_some()
        || request.lease_grant.is_some()
        || request.lease_revoke.is_some()
}

fn grows(request: &InternalRaftRequest) -> bool {
    request.put.is_some() || request.lease_grant.is_some() || request.txn.as_ref().is_some_and(puts)
}

/// In either branch, whichever will be taken.
fn puts(txn: &TxnRequest) -> bool {
    txn.success
        .iter()
        .chain(&txn.failure)
        .any(|op: &RequestOp| match &op.request {
            Some(Request::RequestPut(_)) => true,
            Some(Request::RequestTxn(nested)) => puts(nested),
            _ => false,
        })
}

/// A request that no member of this version proposes.
pub(super) fn unknown(request: &InternalRaftRequest) -> ApplyError {
    let InternalRaftRequest {
        header: _,
        id: _,
        range,
        ..
    } = request;
    let rest = InternalRaftRequest {
        header: None,
        id: 0,
        ..request.clone()
    };
    ApplyError::Malformed(if range.is_some() {
        "a range changes nothing".into()
    } else if rest == InternalRaftRequest::default() {
        "no request in the entry".into()
    } else {
        "a question about users and roles changes nothing".into()
    })
}
