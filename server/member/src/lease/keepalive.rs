//! Keepalive and time to live: answered by the leader's clock, carried to it by every other member.

use taffrail_consensus::BarrierError;
use taffrail_store::{AuthError, Caller};
use tokio::time::timeout;

use super::clock::Renewal;
use crate::{LeaseError, LeaseTtl, Member, ReadError};

impl Member {
    /// Starts a lease's TTL anew and returns it in seconds; 0 if there is no such lease.
    pub async fn keep_alive(&self, caller: &Caller, id: i64) -> Result<i64, LeaseError> {
        self.permit_user(caller).map_err(ReadError::from)?;
        self.view().permit_lease(caller, id, true).map_err(ReadError::from)?;
        let kept = timeout(self.config().request_timeout, self.keep_alive_by_leader(id)).await;
        kept.unwrap_or(Err(ReadError::TimedOut.into()))
    }

    /// A keepalive may be sent again and again: it only ever prolongs.
    async fn keep_alive_by_leader(&self, id: i64) -> Result<i64, LeaseError> {
        loop {
            let leader = self.until_led().await.ok_or(STOPPED)?;
            if leader == self.config().member_id {
                return self.keep_alive_here(id).await;
            }
            if let Some(ttl_s) = self.ask_keep_alive(leader, id).await {
                return Ok(ttl_s);
            }
            self.pause_until_led().await;
        }
    }

    /// The proof that this member leads comes first: the lease it prolongs is one that no other leader can end
    /// meanwhile.
    pub(crate) async fn keep_alive_here(&self, id: i64) -> Result<i64, LeaseError> {
        self.confirm_reign().await.map_err(|_| LeaseError::NotPrimary)?;
        loop {
            let changed = self.0.ears.leases.changed();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let Some(lease) = self.view().lease(id).map_err(ReadError::from)? else {
                return Ok(0);
            };
            match self.0.ears.leases.renew(id, lease.ttl_s) {
                Renewal::Renewed => {
                    self.clear_checkpoint(id, lease.remaining_ttl_s).await?;
                    self.counters().leases_renewed.add(1);
                    return Ok(lease.ttl_s);
                }
                Renewal::Unknown if !self.is_leader() => return Err(LeaseError::NotPrimary),
                Renewal::Ending | Renewal::Unknown => self.wait_for(changed).await?,
            }
        }
    }

    async fn wait_for(&self, changed: impl Future<Output = ()>) -> Result<(), LeaseError> {
        let waited = timeout(self.config().request_timeout, changed).await;
        waited.map_err(|_| ReadError::TimedOut.into())
    }

    /// What is left of a lease, and with `keys` what hangs on it.
    pub async fn time_to_live(&self, caller: &Caller, id: i64, keys: bool) -> Result<LeaseTtl, LeaseError> {
        self.permit_user(caller).map_err(ReadError::from)?;
        let before = self.view();
        if keys {
            before.permit_lease(caller, id, false).map_err(ReadError::from)?;
        }
        let left = timeout(self.config().request_timeout, self.time_to_live_by_leader(id, keys)).await;
        let auth_changed = before.auth().enabled() && self.view().auth().revision() != before.auth().revision();
        if keys && auth_changed {
            return Err(ReadError::Denied(AuthError::OldRevision).into());
        }
        left.unwrap_or(Err(ReadError::TimedOut.into()))
    }

    async fn time_to_live_by_leader(&self, id: i64, keys: bool) -> Result<LeaseTtl, LeaseError> {
        loop {
            let leader = self.until_led().await.ok_or(STOPPED)?;
            if leader == self.config().member_id {
                return self.time_to_live_here(id, keys).await;
            }
            if let Some(left) = self.ask_time_to_live(leader, id, keys).await {
                return Ok(left);
            }
            self.pause_until_led().await;
        }
    }

    pub(crate) async fn time_to_live_here(&self, id: i64, keys: bool) -> Result<LeaseTtl, LeaseError> {
        self.confirm_reign().await.map_err(|_| LEADER_CHANGED)?;
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
}

const STOPPED: LeaseError = LeaseError::Read(ReadError::Barrier(BarrierError::Stopped));
const LEADER_CHANGED: LeaseError = LeaseError::Read(ReadError::Barrier(BarrierError::LeaderChanged));
