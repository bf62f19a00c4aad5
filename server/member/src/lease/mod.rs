//! Leases: granted and revoked through the log, counted down by the leader's clock.
//!
//! The store knows which leases exist and which keys hang on them; only this room knows when they end. A keepalive
//! never enters the log. A new leader counts every lease from its full TTL, so a lease may live longer than its
//! TTL, never shorter.

mod checkpoint;
mod clock;
mod keepalive;

use std::time::Duration;

use bytes::Bytes;
use taffrail_proto::etcdserverpb::{LeaseGrantRequest, LeaseGrantResponse, LeaseRevokeRequest, LeaseRevokeResponse};
use taffrail_store::{ApplyError, Caller, Response};

use crate::entry::Proposal;
use crate::upkeep::quota::LEASE_COST_BYTES;
use crate::write::expect_answer;
use crate::{LeaseError, Member, ReadError, WriteError};

pub(crate) use clock::LeaseClock;

/// The longest TTL etcd grants, in seconds (lessor.go, MaxLeaseTTL).
const TTL_MAX_S: i64 = 9_000_000_000;
/// Due leases handled in one go.
const REVOKES_PER_TICK_MAX: usize = 500;
/// Revocations on their way at the same time.
const REVOKES_IN_FLIGHT_MAX: usize = 16;
/// Pause before a new leader tries to prove again that it leads.
const RETRY: Duration = Duration::from_millis(20);
/// The longest nap of the clock.
const TICK: Duration = Duration::from_millis(500);

/// What is left of a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseTtl {
    /// Seconds until it ends; -1 if there is no such lease.
    pub remaining_s: i64,
    pub granted_s: i64,
    pub keys: Vec<Bytes>,
}

impl Member {
    /// Grants a lease; id 0 lets the member choose one. A TTL below the minimum is raised to it.
    pub async fn grant(&self, caller: &Caller, mut grant: LeaseGrantRequest) -> Result<LeaseGrantResponse, LeaseError> {
        if grant.ttl > TTL_MAX_S {
            return Err(LeaseError::TtlTooLarge(grant.ttl));
        }
        self.permit_user(caller).map_err(ReadError::from)?;
        self.check_quota(LEASE_COST_BYTES).await?;
        grant.ttl = grant.ttl.max(self.config().lease_ttl_min_s);
        if grant.id == 0 {
            grant.id = self.0.ids.next_lease();
        }
        Ok(expect_answer!(
            self.propose(caller, Proposal::LeaseGrant, grant).await?,
            LeaseGrant
        )?)
    }

    /// Ends a lease and deletes its keys in one revision.
    pub async fn revoke(&self, caller: &Caller, revoke: LeaseRevokeRequest) -> Result<LeaseRevokeResponse, LeaseError> {
        let id = revoke.id;
        self.permit_user(caller).map_err(ReadError::from)?;
        let answer = expect_answer!(self.propose(caller, Proposal::LeaseRevoke, revoke).await?, LeaseRevoke)?;
        self.0.ears.leases.forget(id);
        Ok(answer)
    }

    /// Every lease that is known here, the one that ends first leading where this member leads.
    pub fn leases(&self, caller: &Caller) -> Result<Vec<i64>, LeaseError> {
        self.permit_user(caller).map_err(ReadError::from)?;
        let view = self.view();
        let leases = view.leases().map_err(ReadError::from)?;
        for lease in &leases {
            view.permit_lease(caller, lease.id, false).map_err(ReadError::from)?;
        }
        let clock = &self.0.ears.leases;
        let mut by_end: Vec<_> = leases
            .iter()
            .map(|lease| (clock.deadline(lease.id), lease.id))
            .collect();
        by_end.sort_unstable();
        Ok(by_end.into_iter().map(|(_, id)| id).collect())
    }
}

/// Runs the clock for as long as the member lives.
pub(crate) fn spawn_clock(member: &Member) {
    tokio::spawn(keep_time(member.clone()));
}

async fn keep_time(member: Member) {
    let mut leadership = member.leadership();
    loop {
        if let Some(term) = member.reign() {
            lead(&member, term).await;
        }
        if leadership.changed().await.is_err() {
            return;
        }
    }
}

/// From promotion to the loss of leadership in this term: another leader in between may have renewed leases.
async fn lead(member: &Member, term: u64) {
    let clock = &member.0.ears.leases;
    // What was granted before must be applied here before anything is counted down.
    while member.confirm_reign().await.ok() != Some(term) {
        if member.reign() != Some(term) {
            return;
        }
        tokio::time::sleep(RETRY).await;
    }
    clock.promote();
    match member.view().leases() {
        Ok(leases) => clock.extend(&leases, member.config().election_timeout),
        Err(error) => return tracing::error!(%error, "cannot read the leases, none will expire"),
    }
    while member.reign() == Some(term) {
        revoke_due(member, term).await;
        member.checkpoint_due().await;
        clock.until_next(TICK).await;
    }
    clock.demote();
}

/// A leader that was paused finds everything due when it wakes, although another leader may have renewed it.
async fn revoke_due(member: &Member, term: u64) {
    use futures::stream::{self, StreamExt};
    let clock = &member.0.ears.leases;
    let due = clock.due(REVOKES_PER_TICK_MAX);
    if due.is_empty() {
        return;
    }
    if member.confirm_reign().await.ok() != Some(term) {
        return due.into_iter().for_each(|id| clock.retry(id, TICK));
    }
    stream::iter(due)
        .for_each_concurrent(REVOKES_IN_FLIGHT_MAX, |id| expire(member, id))
        .await;
}

async fn expire(member: &Member, id: i64) {
    let revoke = LeaseRevokeRequest { id };
    let clock = &member.0.ears.leases;
    match member.propose_as_leader(Proposal::LeaseRevoke, &revoke).await {
        Ok(Response::LeaseRevoke(_)) => {
            member.counters().leases_expired.add(1);
            clock.forget(id);
        }
        // It is gone already.
        Err(WriteError::Refused(ApplyError::LeaseNotFound(_))) => clock.forget(id),
        _ => clock.retry(id, TICK),
    }
}
