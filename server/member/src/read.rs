//! The reading door: barrier, view, answer.

use std::sync::Arc;
use std::time::Instant;

use taffrail_proto::etcdserverpb::request_op::Request;
use taffrail_proto::etcdserverpb::{RangeRequest, RangeResponse, TxnRequest, TxnResponse};
use taffrail_store::{Caller, RangeError, View};

use crate::{Member, ReadError};

/// Reads that may touch more keys than this leave the async workers.
const INLINE_KEYS_MAX: i64 = 64;

impl Member {
    /// Reads a range. Unless it is serializable, every write acknowledged before the call is seen.
    pub async fn range(&self, caller: &Caller, request: RangeRequest) -> Result<RangeResponse, ReadError> {
        let started = Instant::now();
        let answer = self.range_now(caller, &request).await;
        let took = started.elapsed();
        if self.0.ears.slow.is_slow(took) {
            self.counters().slow_applies.add(1);
            self.0.ears.slow.range(took, &request, &answer);
        }
        answer
    }

    async fn range_now(&self, caller: &Caller, request: &RangeRequest) -> Result<RangeResponse, ReadError> {
        self.0.ears.counters.ranges.add(1);
        if !request.serializable {
            self.barrier().await?;
        }
        let view = self.0.store.view();
        view.permit_range(caller, request)?;
        let started = Instant::now();
        let answer = if is_small(request) {
            view.range(request).map_err(ReadError::from)
        } else {
            let request = request.clone();
            let _reading = self.counters().long_reads.enter();
            off_worker(move || view.range(&request)).await
        };
        self.counters().range_times.observe(answer.is_ok(), started.elapsed());
        answer
    }

    /// Evaluates a transaction that consists of compares and plain ranges, without going through the log.
    pub async fn read_txn(&self, caller: &Caller, request: TxnRequest) -> Result<TxnResponse, ReadError> {
        let started = Instant::now();
        let request = Arc::new(request);
        let answer = self.read_txn_now(caller, &request).await;
        let took = started.elapsed();
        if self.0.ears.slow.is_slow(took) {
            self.counters().slow_applies.add(1);
            self.0.ears.slow.read_txn(took, &request, &answer);
        }
        answer
    }

    async fn read_txn_now(&self, caller: &Caller, request: &Arc<TxnRequest>) -> Result<TxnResponse, ReadError> {
        self.0.ears.counters.txns.add(1);
        if !is_serializable(request) {
            self.barrier().await?;
        }
        let view = self.0.store.view();
        view.permit_txn(caller, request)?;
        let request = Arc::clone(request);
        let _reading = self.counters().long_reads.enter();
        off_worker(move || view.txn(&request)).await
    }

    /// Returns once everything acknowledged before the call can be read here.
    pub async fn barrier(&self) -> Result<(), ReadError> {
        let passed = tokio::time::timeout(self.0.config.request_timeout, self.0.node.read_barrier());
        let result = match passed.await {
            Ok(result) => result.map_err(ReadError::from),
            Err(_) => {
                self.0.ears.counters.read_barriers_slow.add(1);
                Err(ReadError::TimedOut)
            }
        };
        if result.is_err() {
            self.0.ears.counters.read_barriers_failed.add(1);
        }
        result
    }

    /// The newest state applied here, maybe behind what the cluster has acknowledged.
    pub fn view(&self) -> View {
        self.0.store.view()
    }
}

fn is_small(request: &RangeRequest) -> bool {
    let bounded = request.limit > 0 && request.limit <= INLINE_KEYS_MAX;
    request.range_end.is_empty() || (bounded && request.sort_target == 0 && request.revision <= 0)
}

/// True for transactions that every member may answer alone. One without operations only compares; unlike etcd we
/// let it see what was acknowledged before.
fn is_serializable(request: &TxnRequest) -> bool {
    let mut ops = request.success.iter().chain(&request.failure).peekable();
    ops.peek().is_some() && ops.all(|op| matches!(&op.request, Some(Request::RequestRange(r)) if r.serializable))
}

async fn off_worker<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, RangeError> + Send + 'static,
) -> Result<T, ReadError> {
    match tokio::task::spawn_blocking(read).await {
        Ok(result) => Ok(result?),
        Err(lost) => Err(RangeError::Failure(std::io::Error::other(lost).into()).into()),
    }
}

/// True if a transaction changes nothing whatever it finds: all its operations are plain ranges (etcd txn.go).
pub(crate) fn is_read_only(request: &TxnRequest) -> bool {
    let mut ops = request.success.iter().chain(&request.failure);
    ops.all(|op| matches!(op.request, Some(Request::RequestRange(_))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use taffrail_proto::etcdserverpb::{PutRequest, RequestOp};

    fn op(request: Request) -> RequestOp {
        RequestOp { request: Some(request) }
    }

    fn range(serializable: bool) -> RequestOp {
        op(Request::RequestRange(RangeRequest {
            serializable,
            ..Default::default()
        }))
    }

    #[test]
    fn a_nested_transaction_is_never_read_only() {
        let nested = op(Request::RequestTxn(TxnRequest::default()));
        assert!(!is_read_only(&TxnRequest {
            success: vec![nested],
            ..Default::default()
        }));
    }

    #[test]
    fn a_put_in_either_branch_makes_a_write() {
        let put = op(Request::RequestPut(PutRequest::default()));
        assert!(!is_read_only(&TxnRequest {
            success: vec![range(false)],
            failure: vec![put],
            ..Default::default()
        }));
    }

    #[test]
    fn one_linearizable_range_makes_the_transaction_wait() {
        assert!(is_serializable(&TxnRequest {
            success: vec![range(true)],
            ..Default::default()
        }));
        assert!(!is_serializable(&TxnRequest {
            success: vec![range(true), range(false)],
            ..Default::default()
        }));
        assert!(!is_serializable(&TxnRequest::default()));
    }
}
