//! Whether a caller may do what a request asks for, with everything it would come to know or to lose by it.
//!
//! A previous value is read; a lease that goes takes its keys along, so to attach, revoke or renew one takes what it
//! takes to write each of them. Transactions are held to the same, in both branches and however deep.

use bytes::Bytes;
use taffrail_proto::etcdserverpb::request_op::Request;
use taffrail_proto::etcdserverpb::{DeleteRangeRequest, PutRequest, RequestOp, TxnRequest};

use super::{Access, PermitError};
use crate::StoreFailure;

pub(crate) type Permitted = Result<(), PermitError>;

/// The keys of a lease; none if there is no such lease.
pub(crate) type Attached = Result<Vec<Bytes>, StoreFailure>;

pub(crate) struct Guard<'a, K> {
    access: Access<'a>,
    attached: K,
}

impl<'a, K> Guard<'a, K>
where
    K: Fn(i64) -> Attached,
{
    /// `attached` is not asked for a caller who may do everything.
    pub(crate) fn new(access: Access<'a>, attached: K) -> Self {
        Self { access, attached }
    }

    pub(crate) fn put(&self, request: &PutRequest) -> Permitted {
        self.access.write(&request.key, b"")?;
        if request.lease != 0 {
            self.lease(request.lease, true)?;
        }
        if request.prev_kv {
            self.access.read(&request.key, b"")?;
        }
        Ok(())
    }

    pub(crate) fn delete_range(&self, request: &DeleteRangeRequest) -> Permitted {
        self.access.write(&request.key, &request.range_end)?;
        if request.prev_kv {
            self.access.read(&request.key, &request.range_end)?;
        }
        Ok(())
    }

    pub(crate) fn txn(&self, request: &TxnRequest) -> Permitted {
        for compare in &request.compare {
            self.access.read(&compare.key, &compare.range_end)?;
        }
        let mut ops = request.success.iter().chain(&request.failure);
        ops.try_for_each(|op| self.op(op))
    }

    fn op(&self, op: &RequestOp) -> Permitted {
        match &op.request {
            Some(Request::RequestRange(range)) => Ok(self.access.read(&range.key, &range.range_end)?),
            Some(Request::RequestPut(put)) => self.put(put),
            Some(Request::RequestDeleteRange(delete)) => self.delete_range(delete),
            Some(Request::RequestTxn(nested)) => self.txn(nested),
            None => Ok(()),
        }
    }

    /// Every key that is attached.
    pub(crate) fn lease(&self, id: i64, write: bool) -> Permitted {
        if self.access.is_full() {
            return Ok(());
        }
        for key in (self.attached)(id)? {
            match write {
                true => self.access.write(&key, b"")?,
                false => self.access.read(&key, b"")?,
            }
        }
        Ok(())
    }
}
