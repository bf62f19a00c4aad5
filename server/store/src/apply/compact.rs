//! Compaction: one number, below which nothing may be read any more. Dropping follows in [`crate::Store::clean`].

use taffrail_proto::etcdserverpb::{CompactionRequest, CompactionResponse};

use super::{Outcome, header};
use crate::mvcc::Writer;
use crate::{Compacted, FutureRevision, Response};

pub(super) fn compact(writer: &mut Writer, request: &CompactionRequest) -> Outcome {
    let (wanted, current, compacted) = (request.revision, writer.state().revision, writer.state().floor);
    if wanted <= compacted {
        return Ok(Err(Compacted { wanted, compacted }.into()));
    }
    if wanted > current {
        return Ok(Err(FutureRevision { wanted, current }.into()));
    }
    let floor_bytes = writer.log_bytes_at(wanted)?;
    let state = writer.state_mut();
    state.floor = wanted;
    state.floor_bytes = floor_bytes;
    Ok(Ok(Response::Compaction(CompactionResponse {
        header: header(current),
    })))
}
