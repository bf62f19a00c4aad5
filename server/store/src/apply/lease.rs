//! Leases come and go by the log; their deadlines do not.

use bytes::Bytes;
use taffrail_proto::etcdserverpb::{
    LeaseCheckpointRequest, LeaseGrantRequest, LeaseGrantResponse, LeaseRevokeRequest, LeaseRevokeResponse,
};
use taffrail_proto::mvccpb::Event;

use super::{Outcome, header};
use crate::mvcc::Writer;
use crate::schema::{attachment, lease};
use crate::{Lease, LeaseExists, LeaseNotFound, Response, StoreFailure};

/// Id and ttl are as the proposer decided them.
pub(super) fn grant(writer: &mut Writer, request: &LeaseGrantRequest) -> Outcome {
    let LeaseGrantRequest { ttl, id } = *request;
    if id == 0 {
        return Ok(Err(LeaseNotFound(id).into()));
    }
    if writer.lease(id)?.is_some() {
        return Ok(Err(LeaseExists(id).into()));
    }
    set(
        writer,
        &Lease {
            id,
            ttl_s: ttl,
            remaining_ttl_s: 0,
        },
    );
    let header = header(writer.state().revision);
    Ok(Ok(Response::LeaseGrant(LeaseGrantResponse {
        header,
        id,
        ttl,
        error: String::new(),
    })))
}

/// Deletes what is attached, in key order and in one revision.
pub(super) fn revoke(writer: &mut Writer, request: &LeaseRevokeRequest, events: &mut Vec<Event>) -> Outcome {
    if writer.lease(request.id)?.is_none() {
        return Ok(Err(LeaseNotFound(request.id).into()));
    }
    let mut change = writer.begin();
    for key in attached(writer, request.id)? {
        if let Some(previous) = writer.record(&key)? {
            writer.delete(&mut change, key, &previous);
        }
    }
    writer.set_system(Bytes::copy_from_slice(&lease::key(request.id)), None);
    *events = writer.finish(change);
    Ok(Ok(Response::LeaseRevoke(LeaseRevokeResponse {
        header: header(writer.state().revision),
    })))
}

/// A lease that is gone by now needs no checkpoint.
pub(super) fn checkpoint(writer: &mut Writer, request: &LeaseCheckpointRequest) -> Outcome {
    for checkpoint in &request.checkpoints {
        if let Some(lease) = writer.lease(checkpoint.id)? {
            set(
                writer,
                &Lease {
                    remaining_ttl_s: checkpoint.remaining_ttl,
                    ..lease
                },
            );
        }
    }
    Ok(Ok(Response::LeaseCheckpoint))
}

fn set(writer: &mut Writer, lease: &Lease) {
    let (key, value) = (lease::key(lease.id), lease::value(lease));
    writer.set_system(Bytes::copy_from_slice(&key), Some(Bytes::copy_from_slice(&value)));
}

pub(super) fn attached(writer: &Writer, id: i64) -> Result<Vec<Bytes>, StoreFailure> {
    writer
        .system_rows(&attachment::prefix(id))
        .map(|row| row.and_then(|(key, _)| Ok(key.slice_ref(attachment::parse_key(&key)?.1))))
        .collect()
}
