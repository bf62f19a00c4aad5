//! What a write costs against the quota, and what happens when nothing is left (etcd storage/quota.go).

use taffrail_proto::etcdserverpb::alarm_request::AlarmAction;
use taffrail_proto::etcdserverpb::request_op::Request;
use taffrail_proto::etcdserverpb::{AlarmRequest, AlarmType, PutRequest, RequestOp, TxnRequest};

use crate::{Member, WriteError};

/// Charged for every key beside its own bytes.
const KEY_OVERHEAD_BYTES: u64 = 256;
/// Charged for every lease.
pub(crate) const LEASE_COST_BYTES: u64 = 64;
/// The alarm goes off by itself once this share of the quota is free again.
const HEAL_FREE_PERCENT: u64 = 10;

pub(crate) fn put_cost(put: &PutRequest) -> u64 {
    KEY_OVERHEAD_BYTES + (put.key.len() + put.value.len()) as u64
}

/// The dearer branch, nested transactions included.
pub(crate) fn txn_cost(txn: &TxnRequest) -> u64 {
    ops_cost(&txn.success).max(ops_cost(&txn.failure))
}

fn ops_cost(ops: &[RequestOp]) -> u64 {
    ops.iter()
        .map(|op| match &op.request {
            Some(Request::RequestPut(put)) => put_cost(put),
            Some(Request::RequestTxn(txn)) => txn_cost(txn),
            _ => 0,
        })
        .sum()
}

impl Member {
    /// Turns a write away that does not fit any more, and tells the cluster so by an alarm.
    pub(crate) async fn check_quota(&self, cost_bytes: u64) -> Result<(), WriteError> {
        let Some(quota_bytes) = self.0.config.quota_bytes else {
            return Ok(());
        };
        if cost_bytes == 0 || self.0.store.total_bytes() + cost_bytes < quota_bytes {
            return Ok(());
        }
        if !self.has_space_alarm() {
            tracing::warn!(quota_bytes, "quota is used up, raising the NOSPACE alarm");
            self.alarm(self.space_alarm(AlarmAction::Activate)).await?;
        }
        Err(WriteError::NoSpace)
    }

    /// Takes the NOSPACE alarm back once compaction or deletion made room. etcd leaves this to an administrator.
    pub(crate) async fn heal_space_alarm(&self) {
        let Some(quota_bytes) = self.0.config.quota_bytes else {
            return;
        };
        let free_bytes = quota_bytes.saturating_sub(self.0.store.total_bytes());
        if !self.has_space_alarm() || free_bytes < quota_bytes / 100 * HEAL_FREE_PERCENT {
            return;
        }
        match self.alarm(self.space_alarm(AlarmAction::Deactivate)).await {
            Ok(_) => tracing::info!(free_bytes, "space is back, the NOSPACE alarm is off"),
            Err(error) => tracing::warn!(%error, "could not take the NOSPACE alarm back, will try again"),
        }
    }

    fn space_alarm(&self, action: AlarmAction) -> AlarmRequest {
        AlarmRequest {
            action: action.into(),
            member_id: self.0.config.member_id,
            alarm: AlarmType::Nospace.into(),
        }
    }

    fn has_space_alarm(&self) -> bool {
        let mine = self.0.config.member_id;
        self.view()
            .alarms()
            .iter()
            .any(|a| a.member_id == mine && a.alarm() == AlarmType::Nospace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn put(value: &'static [u8]) -> RequestOp {
        let put = PutRequest {
            key: Bytes::from("k"),
            value: Bytes::from(value),
            ..Default::default()
        };
        RequestOp {
            request: Some(Request::RequestPut(put)),
        }
    }

    #[test]
    fn a_transaction_costs_its_dearer_branch_with_what_is_nested_in_it() {
        let nested = TxnRequest {
            success: vec![put(b"12"), put(b"34")],
            ..Default::default()
        };
        let op = RequestOp {
            request: Some(Request::RequestTxn(nested)),
        };
        let txn = TxnRequest {
            success: vec![put(b"1")],
            failure: vec![op],
            ..Default::default()
        };
        assert_eq!(txn_cost(&txn), 2 * (256 + 1 + 2));
    }

    #[test]
    fn reads_and_deletes_cost_nothing() {
        let op = RequestOp {
            request: Some(Request::RequestDeleteRange(Default::default())),
        };
        assert_eq!(
            txn_cost(&TxnRequest {
                success: vec![op],
                ..Default::default()
            }),
            0
        );
    }
}
