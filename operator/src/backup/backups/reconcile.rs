//! Look, tell, act.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::controller::Action;
use serde_json::{Value, json};
use taffrail_crds::{BackupPhase, EtcdBackup, EtcdBackupStatus, EtcdCluster};

use super::build::Inputs;
use super::plan::{Plan, Seen, Step, next_work, plan};
use crate::backup::acts::Jobs;
use crate::backup::heard::Heard;
use crate::backup::{needs, summary};
use crate::cluster::Error;
use crate::context::Context;
use crate::names::Names;
use crate::poller::Key;

/// Steps of one call; then others have their turn.
const STEPS_MAX: usize = 8;

/// Brings one EtcdBackup nearer to its end, and tells its EtcdCluster.
///
/// # Errors
/// What Kubernetes said; nothing is lost by calling again.
pub async fn reconcile(backup: Arc<EtcdBackup>, context: Arc<Context>) -> Result<Action, Error> {
    for _ in 0..STEPS_MAX {
        match turn(&context, &backup).await {
            Ok(Some(again)) => return Ok(again),
            Ok(None) => {}
            // Whoever changed it has their own reasons: look again.
            Err(error) if error.is_conflict() => return Ok(Action::requeue(Duration::from_millis(200))),
            Err(error) => return Err(error),
        }
    }
    Ok(Action::requeue(Duration::ZERO))
}

/// One look and one step; when to look again, or at once.
async fn turn(context: &Context, backup: &EtcdBackup) -> Result<Option<Action>, Error> {
    let Some(seen) = look(context, backup).await? else {
        return Ok(Some(Action::await_change()));
    };
    let Plan { status, step } = plan(&seen, &context.settings);
    write(context, &seen, &status).await?;
    let again = match act(context, &seen, &step).await {
        Ok(again) => again,
        Err(error) => {
            context.outlets.refusals.note(key(&seen.backup), Some(&error));
            return Err(error);
        }
    };
    context.outlets.refusals.forget(&key(&seen.backup));
    if again.is_some() {
        let namespace = seen.backup.namespace().unwrap_or_default();
        summary::refresh(context, &namespace, &seen.backup.spec.cluster_ref.name).await?;
    }
    Ok(again)
}

/// What stands in the way of clusters is remembered under their names; a slash is in none.
fn key(backup: &EtcdBackup) -> Key {
    (
        backup.namespace().unwrap_or_default(),
        format!("etcdbackups/{}", backup.name_any()),
    )
}

async fn look(context: &Context, backup: &EtcdBackup) -> Result<Option<Seen>, Error> {
    let namespace = backup.namespace().unwrap_or_default();
    let api = Api::<EtcdBackup>::namespaced(context.client.clone(), &namespace);
    let fresh = api.get_opt(&backup.name_any()).await?;
    let Some(backup) = fresh.filter(|one| one.metadata.deletion_timestamp.is_none()) else {
        return Ok(None);
    };
    let name = backup.spec.cluster_ref.name.clone();
    let clusters = Api::<EtcdCluster>::namespaced(context.client.clone(), &namespace);
    let cluster = clusters.get_opt(&name).await?;
    let names = Names {
        cluster: name,
        namespace: namespace.clone(),
        domain: context.settings.cluster_domain.clone(),
    };
    let heard = Heard::of(&context.client, &namespace, &backup.uid().unwrap_or_default()).await?;
    let mut seen = Seen {
        refused: context.outlets.refusals.of(&key(&backup)),
        now: context.now(),
        missing: None,
        backup,
        cluster,
        names,
        heard,
    };
    seen.missing = missing(context, &seen).await?;
    Ok(Some(seen))
}

async fn missing(context: &Context, seen: &Seen) -> Result<Option<crate::problem::Problem>, Error> {
    let Some(work) = next_work(&seen.backup) else {
        return Ok(None);
    };
    let inputs = Inputs {
        backup: &seen.backup,
        cluster: seen.cluster.as_ref(),
        names: &seen.names,
        settings: &context.settings,
    };
    Ok(needs::missing(&context.client, &seen.names.namespace, &inputs.needs(work)).await?)
}

async fn act(context: &Context, seen: &Seen, step: &Step) -> Result<Option<Action>, Error> {
    let jobs = Jobs::of(&context.client, &seen.names.namespace);
    match step {
        Step::Nothing => Ok(Some(Action::await_change())),
        Step::Again => Ok(None),
        Step::Wait(pause) => Ok(Some(Action::requeue(*pause))),
        Step::Make(job) => jobs.make(&seen.backup, job).await.map(|()| None),
        Step::Stop(all) => jobs.stop(all).await.map(|()| None),
    }
}

/// Writes what changed; if somebody wrote since it was read, the next look tells it anew.
async fn write(context: &Context, seen: &Seen, status: &EtcdBackupStatus) -> Result<(), Error> {
    let before = seen.backup.status.clone().unwrap_or_default();
    if before == *status && seen.backup.status.is_some() {
        return Ok(());
    }
    let api = Api::<EtcdBackup>::namespaced(context.client.clone(), &seen.names.namespace);
    let mut fields = serde_json::to_value(status).unwrap_or_default();
    // In a merge patch what is not there stays as it was.
    if status.conditions.is_empty() {
        fields["conditions"] = Value::Array(Vec::new());
    }
    let patch = json!({"metadata": {"resourceVersion": seen.backup.resource_version()}, "status": fields});
    api.patch_status(&seen.backup.name_any(), &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    tell(context, &seen.backup, before.phase, status).await;
    Ok(())
}

/// Only who wrote it tells of it, so that it is told once.
async fn tell(context: &Context, backup: &EtcdBackup, before: BackupPhase, status: &EtcdBackupStatus) {
    if before == status.phase {
        return;
    }
    let note = status.message.clone().unwrap_or_default();
    let (events, cluster) = (&context.outlets.events, backup.spec.cluster_ref.name.as_str());
    let failed = |reason: &str| {
        let namespace = backup.namespace().unwrap_or_default();
        context.outlets.metrics.backup_failed(&namespace, cluster, reason);
    };
    match status.phase {
        BackupPhase::Pending | BackupPhase::Expired => {}
        BackupPhase::Running => events.done(backup, "BackupStarted", &note).await,
        BackupPhase::Verifying => events.done(backup, "BackupSucceeded", &note).await,
        BackupPhase::Succeeded => match status.reason.as_deref() {
            Some("Verified") => events.done(backup, "BackupVerified", &note).await,
            Some("NotVerified") => {
                failed("NotVerified");
                events.warn(backup, "BackupNotVerified", &note).await;
            }
            _ => events.done(backup, "BackupSucceeded", &note).await,
        },
        BackupPhase::Failed | BackupPhase::Unusable => {
            let reason = status.reason.as_deref().unwrap_or("Failed");
            failed(reason);
            let word = if status.phase == BackupPhase::Failed {
                "BackupFailed"
            } else {
                "BackupUnusable"
            };
            events.warn(backup, word, &format!("{reason}: {note}")).await;
        }
    }
}
