//! Keepalive and time to live, answered by the leader's clock.

use taffrail_consensus::BarrierError;

use super::clock::Renewal;
use crate::{LeaseError, LeaseTtl, Member, ReadError};

impl Member {
    /// Starts a lease's TTL anew and returns it in seconds; 0 if there is no such lease.
    ///
    /// The barrier comes first: it proves that this member still leads, so the lease it prolongs is one that no
    /// other leader can end meanwhile.
    pub async fn keep_alive(&self, id: i64) -> Result<i64, LeaseError> {
        self.lead_barrier().await?;
        loop {
            let changed = self.0.ears.leases.changed();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let Some(lease) = self.view().lease(id).map_err(ReadError::from)? else {
                return Ok(0);
            };
            match self.0.ears.leases.renew(id, lease.ttl_s) {
                Renewal::Renewed => {
                    self.counters().leases_renewed.add(1);
                    return Ok(lease.ttl_s);
                }
                Renewal::Unknown if !self.is_leader() => {
                    return Err(ReadError::from(BarrierError::LeaderChanged).into());
                }
                Renewal::Ending | Renewal::Unknown => self.wait_for(changed).await?,
            }
        }
    }

    async fn wait_for(&self, changed: impl Future<Output = ()>) -> Result<(), LeaseError> {
        let waited = tokio::time::timeout(self.config().request_timeout, changed).await;
        waited.map_err(|_| ReadError::TimedOut.into())
    }

    /// What is left of a lease, and with `keys` what hangs on it.
    pub async fn time_to_live(&self, id: i64, keys: bool) -> Result<LeaseTtl, LeaseError> {
        self.lead_barrier().await?;
        let view = self.view();
        let Some(lease) = view.lease(id).map_err(ReadError::from)? else {
            return Ok(LeaseTtl {
                remaining_s: -1,
                granted_s: 0,
                keys: Vec::new(),
            });
        };
        let keys = if keys {
            view.lease_keys(id).map_err(ReadError::from)?
        } else {
            Vec::new()
        };
        Ok(LeaseTtl {
            remaining_s: self.remaining_s(id, lease.ttl_s),
            granted_s: lease.ttl_s,
            keys,
        })
    }

    /// Whole seconds, cut as etcd does. A lease granted a moment before this member counts has all of them.
    fn remaining_s(&self, id: i64, ttl_s: i64) -> i64 {
        let now = tokio::time::Instant::now();
        match self.0.ears.leases.deadline(id) {
            Some(at) => at.saturating_duration_since(now).as_secs() as i64,
            None => ttl_s,
        }
    }

    async fn lead_barrier(&self) -> Result<(), LeaseError> {
        if !self.is_leader() {
            return Err(ReadError::from(BarrierError::NoLeader).into());
        }
        Ok(self.barrier().await?)
    }
}
