//! Which EtcdBackups of a schedule are there, which of them count, and which nobody needs to look at any longer. Pure.

use jiff::Timestamp;
use kube::ResourceExt;
use taffrail_crds::{BackupPhase, EtcdBackup};

use crate::backup::backups::is_over;

/// The EtcdBackups of one schedule, oldest first.
#[derive(Clone, Default)]
pub struct History(Vec<EtcdBackup>);

pub fn phase(backup: &EtcdBackup) -> BackupPhase {
    backup
        .status
        .as_ref()
        .map_or(BackupPhase::Pending, |status| status.phase)
}

/// When what it holds was the case; before that is known, when it was asked for.
pub fn taken_at(backup: &EtcdBackup) -> Timestamp {
    let artifact = backup.status.as_ref().and_then(|status| status.artifact.as_ref());
    let taken = artifact.and_then(|artifact| artifact.taken_at.parse().ok());
    taken
        .or_else(|| backup.creation_timestamp().map(|time| time.0))
        .unwrap_or_default()
}

pub fn verified_at(backup: &EtcdBackup) -> Option<Timestamp> {
    let verification = backup.status.as_ref()?.verification.as_ref()?;
    verification.verified_at.as_ref()?.parse().ok()
}

pub fn key(backup: &EtcdBackup) -> Option<&str> {
    let artifact = backup.status.as_ref()?.artifact.as_ref()?;
    Some(artifact.key.as_str())
}

impl History {
    pub fn of(mut backups: Vec<EtcdBackup>) -> Self {
        backups.retain(|one| one.metadata.deletion_timestamp.is_none());
        backups.sort_by_key(|one| (one.creation_timestamp(), one.name_any()));
        Self(backups)
    }

    pub fn all(&self) -> &[EtcdBackup] {
        &self.0
    }

    pub fn active(&self) -> impl Iterator<Item = &EtcdBackup> {
        self.0.iter().filter(|one| !is_over(phase(one)))
    }

    fn good(&self) -> impl Iterator<Item = &EtcdBackup> {
        self.0.iter().filter(|one| phase(one) == BackupPhase::Succeeded)
    }

    /// The newest that is there.
    pub fn newest_good(&self) -> Option<&EtcdBackup> {
        self.good().max_by_key(|one| taken_at(one))
    }

    pub fn newest_verified(&self) -> Option<&EtcdBackup> {
        self.good()
            .filter(|one| verified_at(one).is_some())
            .max_by_key(|one| taken_at(one))
    }

    /// The newest that came to an end.
    pub fn newest_over(&self) -> Option<&EtcdBackup> {
        self.0.iter().rfind(|one| is_over(phase(one)))
    }

    /// Those that are more than the limits and that nobody needs: never the newest good one, the newest verified one,
    /// one that is being made or one that is being restored.
    pub fn superfluous(&self, successful: i32, failed: i32, restored: &[String]) -> Vec<&EtcdBackup> {
        let needed: Vec<String> = [self.newest_good(), self.newest_verified()]
            .into_iter()
            .flatten()
            .map(ResourceExt::name_any)
            .chain(restored.iter().cloned())
            .collect();
        let beyond = |limit: i32, so: fn(BackupPhase) -> bool| {
            let all: Vec<&EtcdBackup> = self.0.iter().filter(|one| so(phase(one))).collect();
            let more = all.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
            let oldest: Vec<&EtcdBackup> = all.into_iter().take(more).collect();
            oldest
        };
        let good = |phase| matches!(phase, BackupPhase::Succeeded | BackupPhase::Expired);
        let bad = |phase| matches!(phase, BackupPhase::Failed | BackupPhase::Unusable);
        let mut all = beyond(successful, good);
        all.extend(beyond(failed, bad));
        all.retain(|one| !needed.contains(&one.name_any()));
        all
    }
}
