//! What a write costs against the quota, and what happens when nothing is left (etcd storage/quota.go).

use std::sync::atomic::Ordering::Relaxed;

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
            self.0.upkeep.full_at_bytes.store(self.0.store.total_bytes(), Relaxed);
            tracing::warn!(quota_bytes, "quota is used up, raising the NOSPACE alarm");
            let own = self.0.config.member_id;
            self.alarm(&self.itself(), space_alarm(own, AlarmAction::Activate))
                .await?;
        }
        Err(WriteError::NoSpace)
    }

    /// Whether enough of the quota is free for the alarm to go off. What did not fit may have been large, so some of
    /// what was in use then must have gone.
    pub(crate) fn has_space(&self) -> bool {
        let quota_bytes = self.0.config.quota_bytes.unwrap_or(0);
        let used_bytes = self.0.store.total_bytes();
        let free_bytes = quota_bytes.saturating_sub(used_bytes);
        let full_at_bytes = self.0.upkeep.full_at_bytes.load(Relaxed);
        let some_has_gone = used_bytes < full_at_bytes;
        quota_bytes > 0 && some_has_gone && free_bytes >= quota_bytes / 100 * HEAL_FREE_PERCENT
    }

    /// Whether there is an alarm that this member takes back.
    pub(crate) fn has_own_space_alarm(&self) -> bool {
        !self.own_space_alarms().is_empty()
    }

    /// Takes NOSPACE alarms back once compaction or deletion made room. etcd leaves this to an administrator.
    pub(crate) async fn heal_space_alarms(&self) {
        for member_id in self.own_space_alarms() {
            match self
                .alarm(&self.itself(), space_alarm(member_id, AlarmAction::Deactivate))
                .await
            {
                Ok(_) => tracing::info!("space is back, the NOSPACE alarm is off"),
                Err(error) => tracing::warn!(%error, "could not take the NOSPACE alarm back, will try again"),
            }
        }
    }

    /// Every member takes back its own alarm; those of members that are gone fall to the leader.
    fn own_space_alarms(&self) -> Vec<u64> {
        let alarmed = self.space_alarms();
        if alarmed.is_empty() {
            return alarmed;
        }
        let (own, leads, members) = (self.0.config.member_id, self.is_leader(), self.0.node.members());
        let is_ours = |id: &u64| *id == own || (leads && !members.contains_key(id));
        alarmed.into_iter().filter(is_ours).collect()
    }

    fn has_space_alarm(&self) -> bool {
        self.space_alarms().contains(&self.0.config.member_id)
    }

    fn space_alarms(&self) -> Vec<u64> {
        let alarms = self.view().alarms();
        let of_space = alarms.iter().filter(|alarm| alarm.alarm() == AlarmType::Nospace);
        of_space.map(|alarm| alarm.member_id).collect()
    }
}

fn space_alarm(member_id: u64, action: AlarmAction) -> AlarmRequest {
    AlarmRequest {
        action: action.into(),
        member_id,
        alarm: AlarmType::Nospace.into(),
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
