//! Transactions: first the whole path is decided, then every operation on it is checked, then all are done.

use taffrail_proto::etcdserverpb::request_op::Request;
use taffrail_proto::etcdserverpb::response_op::Response as OpResponse;
use taffrail_proto::etcdserverpb::{
    DeleteRangeRequest, PutRequest, RangeRequest, RangeResponse, ResponseHeader, ResponseOp, TxnRequest, TxnResponse,
};
use taffrail_proto::mvccpb::Event;

use super::{Outcome, compare, header, kv};
use crate::mvcc::{self, Change, Current, Writer};
use crate::{ApplyError, RangeError, Response, StoreFailure, View};

/// A transaction with its branches chosen.
struct Path<'a> {
    succeeded: bool,
    steps: Vec<Step<'a>>,
}

enum Step<'a> {
    Range(&'a RangeRequest),
    Put(&'a PutRequest),
    DeleteRange(&'a DeleteRangeRequest),
    Txn(Path<'a>),
    Nothing,
}

/// On the state before the transaction, nested compares too.
fn decide<'a>(current: Current<'_>, txn: &'a TxnRequest) -> Result<Path<'a>, StoreFailure> {
    let succeeded = compare::all_hold(current, &txn.compare)?;
    let ops = if succeeded { &txn.success } else { &txn.failure };
    let steps = ops.iter().map(|op| {
        Ok(match &op.request {
            Some(Request::RequestRange(range)) => Step::Range(range),
            Some(Request::RequestPut(put)) => Step::Put(put),
            Some(Request::RequestDeleteRange(delete)) => Step::DeleteRange(delete),
            Some(Request::RequestTxn(nested)) => Step::Txn(decide(current, nested)?),
            None => Step::Nothing,
        })
    });
    Ok(Path {
        succeeded,
        steps: steps.collect::<Result<_, StoreFailure>>()?,
    })
}

impl Path<'_> {
    fn reads_by_revision(&self) -> bool {
        self.steps.iter().any(|step| match step {
            Step::Range(range) => range.revision > 0,
            Step::Txn(nested) => nested.reads_by_revision(),
            _ => false,
        })
    }
}

pub(super) fn txn(writer: &mut Writer, request: &TxnRequest, events: &mut Vec<Event>) -> Outcome {
    let path = decide(writer.current(), request)?;
    if let Err(refused) = check(writer, &path)? {
        return Ok(Err(refused));
    }
    if path.reads_by_revision() {
        // History knows committed versions only, so those before this transaction must be.
        writer.commit()?;
    }
    let mut change = writer.begin();
    let mut response = run(writer, &mut change, &path)?;
    response.header = header(change.revision());
    *events = writer.finish(change);
    Ok(Ok(Response::Txn(response)))
}

/// The first operation that would be refused refuses the transaction.
fn check(writer: &Writer, path: &Path<'_>) -> Result<Result<(), ApplyError>, StoreFailure> {
    let (revision, floor) = (writer.state().revision, writer.state().floor);
    for step in &path.steps {
        let checked = match step {
            Step::Range(range) => match mvcc::range_in_txn(range.revision, revision, floor) {
                Ok(()) => Ok(()),
                Err(RangeError::Compacted(why)) => Err(why.into()),
                Err(RangeError::FutureRevision(why)) => Err(why.into()),
                Err(RangeError::Failure(why)) => return Err(why),
            },
            Step::Put(put) => kv::check_put(writer, put)?,
            Step::Txn(nested) => check(writer, nested)?,
            Step::DeleteRange(_) | Step::Nothing => Ok(()),
        };
        if checked.is_err() {
            return Ok(checked);
        }
    }
    Ok(Ok(()))
}

fn run(writer: &mut Writer, change: &mut Change, path: &Path<'_>) -> Result<TxnResponse, StoreFailure> {
    let mut responses = Vec::with_capacity(path.steps.len());
    for step in &path.steps {
        let response = match step {
            Step::Range(range) => Some(OpResponse::ResponseRange(range_in(writer, change, range)?)),
            Step::Put(put) => Some(OpResponse::ResponsePut(kv::put_in(writer, change, put)?)),
            Step::DeleteRange(delete) => Some(OpResponse::ResponseDeleteRange(kv::delete_range_in(
                writer, change, delete,
            )?)),
            Step::Txn(nested) => Some(OpResponse::ResponseTxn(run(writer, change, nested)?)),
            Step::Nothing => None,
        };
        responses.push(ResponseOp { response });
    }
    // As in etcd, a nested transaction's header stays empty.
    Ok(TxnResponse {
        header: Some(ResponseHeader::default()),
        succeeded: path.succeeded,
        responses,
    })
}

/// Without a revision, a range sees what the transaction has done so far.
fn range_in(writer: &Writer, change: &Change, request: &RangeRequest) -> Result<RangeResponse, StoreFailure> {
    let newest = change.revision();
    if request.revision <= 0 {
        return mvcc::range(writer.current(), request, newest, newest);
    }
    let committed = writer.committed();
    let current = committed.current();
    let mut response = mvcc::range(current, request, request.revision, committed.state.revision)?;
    response.header = header(newest);
    Ok(response)
}

/// A transaction without writes, answered from a view.
pub(crate) fn read_txn(view: &View, request: &TxnRequest) -> Result<TxnResponse, RangeError> {
    let path = decide(view.current(), request)?;
    check_reads(view, &path)?;
    let mut response = run_reads(view, &path)?;
    response.header = header(view.revision());
    Ok(response)
}

fn check_reads(view: &View, path: &Path<'_>) -> Result<(), RangeError> {
    path.steps.iter().try_for_each(|step| match step {
        Step::Range(range) => mvcc::range_in_txn(range.revision, view.revision(), view.compacted()),
        Step::Txn(nested) => check_reads(view, nested),
        _ => Ok(()),
    })
}

fn run_reads(view: &View, path: &Path<'_>) -> Result<TxnResponse, RangeError> {
    let responses = path.steps.iter().map(|step| {
        let response = match step {
            Step::Range(range) => Some(OpResponse::ResponseRange(view.range(range)?)),
            Step::Txn(nested) => Some(OpResponse::ResponseTxn(run_reads(view, nested)?)),
            Step::Put(_) | Step::DeleteRange(_) | Step::Nothing => None,
        };
        Ok(ResponseOp { response })
    });
    let responses = responses.collect::<Result<_, RangeError>>()?;
    Ok(TxnResponse {
        header: Some(ResponseHeader::default()),
        succeeded: path.succeeded,
        responses,
    })
}
