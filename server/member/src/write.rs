//! The writing door: admission, proposal, answer.

use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use taffrail_proto::etcdserverpb::{
    AlarmRequest, AlarmResponse, CompactionRequest, CompactionResponse, DeleteRangeRequest, DeleteRangeResponse,
    PutRequest, PutResponse, TxnRequest, TxnResponse,
};
use taffrail_store::{Caller, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::entry::{self, Proposal};
use crate::upkeep::quota;
use crate::{Member, ReadError, Timeout, WriteError, read};

/// How long a writer waits for a member that is far behind with applying.
const LAG_PATIENCE: Duration = Duration::from_secs(1);

/// Bounds what is proposed and not answered.
pub(crate) struct Admission {
    inflight_bytes: Arc<Semaphore>,
}

impl Admission {
    pub fn new(inflight_bytes_max: usize) -> Self {
        Admission {
            inflight_bytes: Arc::new(Semaphore::new(inflight_bytes_max)),
        }
    }

    fn admit(&self, bytes: usize) -> Result<OwnedSemaphorePermit, WriteError> {
        let bytes = u32::try_from(bytes).map_err(|_| WriteError::TooManyRequests)?;
        Arc::clone(&self.inflight_bytes)
            .try_acquire_many_owned(bytes)
            .map_err(|_| WriteError::TooManyRequests)
    }
}

/// Takes the one kind of answer an operation can have.
macro_rules! expect_answer {
    ($response:expr, $kind:ident) => {
        match $response {
            Response::$kind(answer) => Ok(answer),
            _ => Err(WriteError::Unexpected),
        }
    };
}
pub(crate) use expect_answer;

impl Member {
    pub async fn put(&self, caller: &Caller, put: PutRequest) -> Result<PutResponse, WriteError> {
        self.check_quota(quota::put_cost(&put)).await?;
        expect_answer!(self.propose(caller, Proposal::Put, put).await?, Put)
    }

    pub async fn delete_range(
        &self,
        caller: &Caller,
        delete: DeleteRangeRequest,
    ) -> Result<DeleteRangeResponse, WriteError> {
        expect_answer!(self.propose(caller, Proposal::DeleteRange, delete).await?, DeleteRange)
    }

    /// Runs a transaction; one that cannot change anything is answered without the log.
    pub async fn txn(&self, caller: &Caller, txn: TxnRequest) -> Result<TxnResponse, TxnError> {
        if read::is_read_only(&txn) {
            return Ok(self.read_txn(caller, txn).await?);
        }
        self.check_quota(quota::txn_cost(&txn)).await?;
        Ok(expect_answer!(self.propose(caller, Proposal::Txn, txn).await?, Txn)?)
    }

    /// Moves the compaction floor; with `physical` it returns only when the space is given back.
    pub async fn compact(
        &self,
        caller: &Caller,
        compaction: CompactionRequest,
    ) -> Result<CompactionResponse, WriteError> {
        let physical = compaction.physical;
        let answer = expect_answer!(
            self.propose(caller, Proposal::Compaction, compaction).await?,
            Compaction
        )?;
        if physical {
            self.reclaim().await;
        }
        Ok(answer)
    }

    pub async fn alarm(&self, caller: &Caller, alarm: AlarmRequest) -> Result<AlarmResponse, WriteError> {
        expect_answer!(self.propose(caller, Proposal::Alarm, alarm).await?, Alarm)
    }

    /// Sends one entry through the log and waits until it is applied here.
    pub(crate) fn propose<'a, M: Message>(
        &'a self,
        caller: &Caller,
        proposal: Proposal,
        request: M,
    ) -> impl Future<Output = Result<Response, WriteError>> + Send + use<'a, M> {
        // Encoded before anything waits: thousands of requests may wait at a time, and each holds only its entry.
        let id = self.0.ids.next();
        let entry = entry::encode(id, caller, proposal, &request);
        async move {
            self.applied_closely().await?;
            let _permit = self.admit(entry.len())?;
            let started = Instant::now();
            let answer = tokio::time::timeout(self.0.config.request_timeout, self.0.node.propose(id, entry)).await;
            Ok(answer.map_err(|_| WriteError::TimedOut(self.timeout_since(started)))???)
        }
    }

    /// Sends one entry through the log as the leader. What a leader decides by its own clock must not reach the log
    /// through the next leader, which knows better; so nothing is waited for or tried again.
    pub(crate) async fn propose_as_leader<M: Message>(
        &self,
        proposal: Proposal,
        request: &M,
    ) -> Result<Response, WriteError> {
        let entry = entry::encode(self.0.ids.next(), &self.itself(), proposal, request);
        let proposed = self.0.node.propose_as_leader(entry);
        let answer = tokio::time::timeout(self.0.config.request_timeout, proposed).await;
        Ok(answer.map_err(|_| WriteError::TimedOut(Timeout::Unexplained))???)
    }

    /// Where applying is far behind, writers wait a moment for it; etcd turns them away at once.
    async fn applied_closely(&self) -> Result<(), WriteError> {
        let progress = self.0.node.progress();
        let close = progress
            .committed_index
            .saturating_sub(self.0.config.limits.apply_lag_entries_max);
        if progress.applied_index >= close {
            return Ok(());
        }
        let caught_up = tokio::time::timeout(LAG_PATIENCE, self.0.node.wait_applied(close)).await;
        caught_up.map_err(|_| WriteError::TooManyRequests)
    }

    fn admit(&self, bytes: usize) -> Result<OwnedSemaphorePermit, WriteError> {
        let limits = &self.0.config.limits;
        if bytes > limits.request_bytes_max {
            return Err(WriteError::TooLarge {
                bytes,
                max: limits.request_bytes_max,
            });
        }
        self.0.admission.admit(bytes)
    }
}

/// A transaction is a read or a write, and fails as one of them.
#[derive(Debug, thiserror::Error)]
pub enum TxnError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Write(#[from] WriteError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_in_flight_are_bounded_and_given_back() {
        let admission = Admission::new(10);
        let first = admission.admit(8).expect("8 of 10");
        assert!(matches!(admission.admit(3), Err(WriteError::TooManyRequests)));
        drop(first);
        assert!(admission.admit(10).is_ok());
    }
}
