//! Put and DeleteRange, alone or as operations of a transaction.

use taffrail_proto::etcdserverpb::{DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse};
use taffrail_proto::mvccpb::Event;

use super::{Outcome, header};
use crate::mvcc::{Change, KeyRange, Writer};
use crate::schema::KEY_BYTES_MAX;
use crate::schema::record::Record;
use crate::{ApplyError, KeyNotFound, LeaseNotFound, Response, StoreFailure};

pub(super) fn put(writer: &mut Writer, request: &PutRequest, events: &mut Vec<Event>) -> Outcome {
    if let Err(refused) = check_lease(writer, request)?.and_then(|()| check_key(request)) {
        return Ok(Err(refused));
    }
    let previous = writer.record(&request.key)?;
    if previous.is_none() && (request.ignore_value || request.ignore_lease) {
        return Ok(Err(KeyNotFound.into()));
    }
    let mut change = writer.begin();
    let response = put_over(writer, &mut change, request, previous)?;
    *events = writer.finish(change);
    Ok(Ok(Response::Put(response)))
}

/// Why a put would be refused, looked at before anything is written.
pub(super) fn check_put(writer: &Writer, request: &PutRequest) -> Result<Result<(), ApplyError>, StoreFailure> {
    let keeps = request.ignore_value || request.ignore_lease;
    if keeps && writer.record(&request.key)?.is_none() {
        return Ok(Err(KeyNotFound.into()));
    }
    Ok(check_lease(writer, request)?.and_then(|()| check_key(request)))
}

fn check_lease(writer: &Writer, request: &PutRequest) -> Result<Result<(), ApplyError>, StoreFailure> {
    match request.lease {
        0 => Ok(Ok(())),
        id => Ok(writer.lease(id)?.map(|_| ()).ok_or(LeaseNotFound(id).into())),
    }
}

/// The api refuses both long before; here they would break the engine's rules.
fn check_key(request: &PutRequest) -> Result<(), ApplyError> {
    match request.key.len() {
        0 => Err(ApplyError::Malformed("empty key".into())),
        len if len > KEY_BYTES_MAX => Err(ApplyError::Malformed(format!("key longer than {KEY_BYTES_MAX} bytes"))),
        _ => Ok(()),
    }
}

pub(super) fn put_in(
    writer: &mut Writer,
    change: &mut Change,
    request: &PutRequest,
) -> Result<PutResponse, StoreFailure> {
    let previous = writer.record(&request.key)?;
    put_over(writer, change, request, previous)
}

/// A missing key has nothing to keep: its value is empty and it has no lease. That can only happen to a key deleted
/// by the same transaction, which the api refuses.
fn put_over(
    writer: &mut Writer,
    change: &mut Change,
    request: &PutRequest,
    previous: Option<Record>,
) -> Result<PutResponse, StoreFailure> {
    let kept = previous.as_ref().filter(|_| request.ignore_value).map(Record::value);
    let value = if request.ignore_value {
        kept.unwrap_or_default()
    } else {
        request.value.clone()
    };
    let lease = if request.ignore_lease {
        previous.as_ref().map_or(0, Record::lease)
    } else {
        request.lease
    };
    let prev_kv = previous
        .as_ref()
        .filter(|_| request.prev_kv)
        .map(|previous| previous.key_value(request.key.clone()));
    writer.put(change, &request.key, &value, lease, previous)?;
    Ok(PutResponse {
        header: header(change.main()),
        prev_kv,
    })
}

pub(super) fn delete_range(writer: &mut Writer, request: &DeleteRangeRequest, events: &mut Vec<Event>) -> Outcome {
    let mut change = writer.begin();
    let response = delete_range_in(writer, &mut change, request)?;
    *events = writer.finish(change);
    Ok(Ok(Response::DeleteRange(response)))
}

pub(super) fn delete_range_in(
    writer: &mut Writer,
    change: &mut Change,
    request: &DeleteRangeRequest,
) -> Result<DeleteRangeResponse, StoreFailure> {
    let range = KeyRange::new(&request.key, &request.range_end);
    let found = writer.current().scan(&range).collect::<Result<Vec<_>, _>>()?;
    let mut prev_kvs = Vec::new();
    let deleted = found.len() as i64;
    for (key, previous) in found {
        if request.prev_kv {
            prev_kvs.push(previous.key_value(key.clone()));
        }
        writer.delete(change, key, &previous);
    }
    Ok(DeleteRangeResponse {
        header: header(change.revision()),
        deleted,
        prev_kvs,
    })
}
