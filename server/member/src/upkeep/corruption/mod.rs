//! Do all members hold the same? Their hashes are compared: before a member serves, at intervals, and after
//! compactions (etcd corrupt.go). A member that differs gets the CORRUPT alarm, which stops all writes.

mod compare;

use std::time::Duration;

use taffrail_proto::etcdserverpb::alarm_request::AlarmAction;
use taffrail_proto::etcdserverpb::{AlarmRequest, AlarmType};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::questions::Unanswered;
use crate::{Member, ReadError};
use compare::{Hashed, Verdict};

/// How often members are compared; none is never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CorruptionChecks {
    /// Everything, at the leader's revision of the moment.
    pub everything: Option<Duration>,
    /// What the last compaction left.
    pub compactions: Option<Duration>,
}

/// This member must not serve.
#[derive(Debug, thiserror::Error)]
pub enum InitialCheckError {
    #[error("{0:x} found data inconsistency with peers")]
    Inconsistent(u64),
    #[error("{member_id:x} failed to fetch hash ({error})")]
    Unreadable { member_id: u64, error: ReadError },
}

/// A member that does not answer yet may be starting, like this one.
const REACH_RETRY: Duration = Duration::from_millis(50);

pub(super) fn spawn(member: &Member) {
    let CorruptionChecks {
        everything,
        compactions,
    } = member.config().corruption_checks;
    if let Some(every) = everything {
        tokio::spawn(watch_everything(member.clone(), every));
    }
    if let Some(every) = compactions {
        tokio::spawn(watch_compactions(member.clone(), every));
    }
}

async fn watch_everything(member: Member, every: Duration) {
    let mut tick = interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick.tick().await;
    loop {
        tick.tick().await;
        if !member.is_leader() {
            continue;
        }
        if let Err(error) = member.check_everything().await {
            tracing::warn!(%error, "failed to check hash KV");
        }
    }
}

async fn watch_compactions(member: Member, every: Duration) {
    let mut checked = 0;
    loop {
        sleep(every).await;
        if !member.is_leader() {
            continue;
        }
        match member.check_compaction(checked).await {
            Ok(newest) => checked = newest,
            Err(error) => tracing::warn!(%error, "failed to check the hash of a compaction"),
        }
    }
}

impl Member {
    /// Compares with every member that can be asked. Clients must be served only after it.
    ///
    /// # Errors
    /// If any of them holds something else.
    pub async fn check_initially(&self) -> Result<(), InitialCheckError> {
        tracing::info!("starting initial corruption check");
        let member_id = self.config().member_id;
        let own = self.hashed(0).await;
        let own = own.map_err(|error| InitialCheckError::Unreadable { member_id, error })?;
        let others = self.hashes_of_others(own.hash.hash_revision).await;
        for (id, other) in &others {
            tracing::debug!(member = format!("{id:x}"), ?own, ?other, "compared with a member");
        }
        if compare::agrees(&own, &others) {
            tracing::info!("initial corruption checking passed; no corruption");
            return Ok(());
        }
        tracing::warn!(?own, ?others, "found different hash values from remote peer");
        Err(InitialCheckError::Inconsistent(member_id))
    }

    async fn check_everything(&self) -> Result<(), ReadError> {
        let before = self.hashed(0).await?;
        let others = self.hashes_of_others(before.hash.hash_revision).await;
        self.barrier().await?;
        let after = self.hashed(0).await?;
        if let Some(suspect) = compare::suspect(self.config().member_id, &before, &after, &others) {
            tracing::warn!(?before, ?after, ?others, "found hash mismatch");
            self.raise_corrupt(suspect).await;
        }
        let checked = others.iter().filter(|(_, other)| other.is_some()).count();
        tracing::info!(peers = checked, "finished peer corruption check");
        Ok(())
    }

    /// Returns the newest compaction that all members agree about; what `checked` says need not be looked at again.
    async fn check_compaction(&self, checked: i64) -> Result<i64, ReadError> {
        let compaction = self.view().compacted();
        if compaction <= checked {
            tracing::info!(hashes = 0, "finished compaction hash check");
            return Ok(checked);
        }
        let own = self.hashed(compaction).await?;
        let others = self.hashes_of_others(compaction).await;
        let verdict = compare::verdict(self.config().member_id, &own, &others);
        if let Verdict::Differ(suspects) = &verdict {
            tracing::error!(?own, ?others, ?suspects, "Detected compaction hash mismatch");
            for suspect in suspects {
                self.raise_corrupt(*suspect).await;
            }
        }
        tracing::info!(hashes = 1, "finished compaction hash check");
        Ok(if verdict == Verdict::Agree { compaction } else { checked })
    }

    async fn raise_corrupt(&self, member_id: u64) {
        let alarm = AlarmRequest {
            action: AlarmAction::Activate.into(),
            member_id,
            alarm: AlarmType::Corrupt.into(),
        };
        if let Err(error) = self.alarm(&self.itself(), alarm).await {
            tracing::warn!(%error, "failed to raise the CORRUPT alarm");
        }
    }

    async fn hashed(&self, revision: i64) -> Result<Hashed, ReadError> {
        let (revision, hash) = self.hash_kv(revision).await?;
        Ok(Hashed { revision, hash })
    }

    /// One after the other, as each reads everything it has. None for members that cannot tell.
    async fn hashes_of_others(&self, revision: i64) -> Vec<(u64, Option<Hashed>)> {
        let own = self.config().member_id;
        let others: Vec<u64> = self.0.node.members().into_keys().filter(|id| *id != own).collect();
        let mut hashes = Vec::with_capacity(others.len());
        for id in others {
            hashes.push((id, self.hash_of(id, revision).await));
        }
        hashes
    }

    async fn hash_of(&self, member: u64, revision: i64) -> Option<Hashed> {
        let give_up = tokio::time::Instant::now() + self.config().election_timeout;
        loop {
            match self.ask_hash(member, revision).await {
                Ok((revision, hash)) => return Some(Hashed { revision, hash }),
                Err(Unanswered::Unreachable) if tokio::time::Instant::now() < give_up => sleep(REACH_RETRY).await,
                Err(why) => {
                    tracing::warn!(
                        member = format!("{member:x}"),
                        revision,
                        ?why,
                        "cannot fetch hash from remote peer"
                    );
                    return None;
                }
            }
        }
    }
}
