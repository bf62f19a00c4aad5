//! `EtcdCluster.status.backup`: the backups of a cluster at a glance.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::json;
use taffrail_crds::{BackupPhase, BackupSummary, EtcdBackup, EtcdBackupSchedule, EtcdCluster};

use super::backups::is_over;
use super::conditions::stamp;
use super::cron::{Timetable, period};
use crate::cluster::Error;
use crate::context::Context;
use crate::metrics::BackupFigures;

/// Backups may be late by one of their own periods, and no more.
const PERIODS_MAX: i32 = 2;

/// Looks at all that is there of this cluster, and writes what changed. A cluster that has gone is told nothing.
///
/// # Errors
/// What the API server said; 409 if the cluster's status was written meanwhile.
pub async fn refresh(context: &Context, namespace: &str, cluster: &str) -> Result<(), Error> {
    let client = &context.client;
    let clusters = Api::<EtcdCluster>::namespaced(client.clone(), namespace);
    let Some(found) = clusters.get_opt(cluster).await? else {
        return Ok(());
    };
    let every = ListParams::default();
    let mut backups = Api::<EtcdBackup>::namespaced(client.clone(), namespace)
        .list(&every)
        .await?
        .items;
    let mut schedules = Api::<EtcdBackupSchedule>::namespaced(client.clone(), namespace)
        .list(&every)
        .await?
        .items;
    backups.retain(|one| one.spec.cluster_ref.name == cluster);
    schedules.retain(|one| one.spec.template.cluster_ref.name == cluster);
    let before = found.status.as_ref().and_then(|status| status.backup.clone());
    let now = summary(&backups, &schedules, before.as_ref(), context.now());
    context
        .outlets
        .metrics
        .show_backups(namespace, cluster, &figures(&backups, now.as_ref()));
    if before == now {
        return Ok(());
    }
    let patch =
        json!({"metadata": {"resourceVersion": found.resource_version()}, "status": {"backup": fields(now.as_ref())}});
    clusters
        .patch_status(cluster, &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    Ok(())
}

/// In a merge patch what is not there stays as it was: what has gone is said to be null.
fn fields(summary: Option<&BackupSummary>) -> serde_json::Value {
    let mut value = serde_json::to_value(summary).unwrap_or_default();
    let optional = [
        "lastSuccessfulBackup",
        "lastVerifiedBackup",
        "lastBackupName",
        "lastRevision",
        "lastFailedBackup",
        "lastFailure",
    ];
    for field in optional {
        value
            .as_object_mut()
            .map(|all| all.entry(field).or_insert(serde_json::Value::Null));
    }
    value
}

fn phase(backup: &EtcdBackup) -> BackupPhase {
    backup
        .status
        .as_ref()
        .map_or(BackupPhase::Pending, |status| status.phase)
}

fn completed(backup: &EtcdBackup) -> Option<String> {
    backup.status.as_ref()?.completed_at.clone()
}

fn newest(backups: &[EtcdBackup], so: impl Fn(BackupPhase) -> bool) -> Option<&EtcdBackup> {
    let so = backups.iter().filter(|one| so(phase(one)));
    so.max_by_key(|one| (one.creation_timestamp(), one.name_any()))
}

/// None if there is nothing that makes backups of it, nor ever was a backup that is still there. Times of the past are
/// kept when the EtcdBackup that told of them goes.
pub fn summary(
    backups: &[EtcdBackup],
    schedules: &[EtcdBackupSchedule],
    before: Option<&BackupSummary>,
    now: Timestamp,
) -> Option<BackupSummary> {
    if backups.is_empty() && schedules.is_empty() {
        return None;
    }
    let before = before.cloned().unwrap_or_default();
    let good = newest(backups, |phase| phase == BackupPhase::Succeeded);
    let bad = newest(backups, |phase| {
        matches!(phase, BackupPhase::Failed | BackupPhase::Unusable)
    });
    let verified = backups.iter().filter_map(|one| {
        let verification = one.status.as_ref()?.verification.as_ref()?;
        verification.verified_at.clone()
    });
    let artifact = good.and_then(|one| one.status.as_ref()?.artifact.as_ref());
    let mut told = BackupSummary {
        last_successful_backup: good.and_then(completed).max(before.last_successful_backup),
        last_verified_backup: verified.max().max(before.last_verified_backup),
        last_backup_name: good.map(ResourceExt::name_any).or(before.last_backup_name),
        last_revision: artifact.map(|one| one.revision).or(before.last_revision),
        last_failed_backup: bad.and_then(completed).max(before.last_failed_backup),
        last_failure: bad.and_then(failure).or(before.last_failure),
        ..BackupSummary::default()
    };
    let (ready, reason, message) = verdict(backups, schedules, &told, now);
    (told.ready, told.reason, told.message) = (ready, reason.into(), message);
    Some(told)
}

fn failure(backup: &EtcdBackup) -> Option<String> {
    let status = backup.status.as_ref()?;
    let (reason, message) = (status.reason.clone()?, status.message.clone().unwrap_or_default());
    Some(format!("{}: {reason}: {message}", backup.name_any()))
}

type Verdict = (bool, &'static str, String);

fn verdict(backups: &[EtcdBackup], schedules: &[EtcdBackupSchedule], told: &BackupSummary, now: Timestamp) -> Verdict {
    let last = newest(backups, is_over);
    match last.map(|one| (one, phase(one))) {
        Some((one, BackupPhase::Failed)) => {
            return (false, "BackupFailed", failure(one).unwrap_or_default());
        }
        Some((one, BackupPhase::Unusable)) => {
            return (false, "BackupUnusable", failure(one).unwrap_or_default());
        }
        _ => {}
    }
    if let Some(verdict) = schedules.iter().find_map(|one| complaint(one, told, now)) {
        return verdict;
    }
    match &told.last_successful_backup {
        Some(time) => (true, "BackedUp", format!("the newest backup is of {time}")),
        None => (false, "NoBackup", "there is no backup yet".into()),
    }
}

/// What is wrong with the backups that this schedule should have made.
fn complaint(schedule: &EtcdBackupSchedule, told: &BackupSummary, now: Timestamp) -> Option<Verdict> {
    let (name, spec) = (schedule.name_any(), &schedule.spec);
    let table = match Timetable::new(&spec.schedule, spec.time_zone.as_deref()) {
        Ok(table) => table,
        Err(error) => return Some((false, "InvalidSchedule", format!("EtcdBackupSchedule {name}: {error}"))),
    };
    if spec.suspend {
        return None;
    }
    let made = schedule
        .status
        .as_ref()
        .and_then(|status| status.last_successful_time.clone());
    let since = made.as_ref().and_then(|text| text.parse().ok());
    let since: Timestamp = since.or(schedule.creation_timestamp().map(|time| time.0))?;
    let longest = period(&table, since)
        .checked_mul(PERIODS_MAX)
        .unwrap_or(SignedDuration::MAX);
    let late = now.duration_since(since) > longest;
    let last = told.last_successful_backup.as_deref().unwrap_or("never");
    let message = || {
        format!(
            "EtcdBackupSchedule {name} has made no good backup since {}; the newest one of all: {last}",
            stamp(since)
        )
    };
    late.then(|| (false, "Overdue", message()))
}

fn figures(backups: &[EtcdBackup], summary: Option<&BackupSummary>) -> BackupFigures {
    let seconds = |text: Option<&String>| {
        let time: Option<Timestamp> = text.and_then(|text| text.parse().ok());
        time.map(Timestamp::as_second)
    };
    let good = newest(backups, |phase| phase == BackupPhase::Succeeded).and_then(|one| one.status.as_ref());
    let took =
        good.and_then(|status| Some(seconds(status.completed_at.as_ref())? - seconds(status.started_at.as_ref())?));
    BackupFigures {
        last_success: seconds(summary.and_then(|one| one.last_successful_backup.as_ref())),
        last_verified: seconds(summary.and_then(|one| one.last_verified_backup.as_ref())),
        last_size_bytes: good.and_then(|status| Some(status.artifact.as_ref()?.size_bytes)),
        duration: took,
    }
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
