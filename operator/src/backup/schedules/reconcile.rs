//! Look, tell, act.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::runtime::controller::Action;
use serde_json::{Value, json};
use taffrail_crds::{
    BackupPhase, BackupTarget, EtcdBackup, EtcdBackupSchedule, EtcdBackupStatus, EtcdCluster, SCHEDULE,
};

use super::history::History;
use super::plan::{Plan, Restored, Seen, Step, plan};
use crate::backup::acts::Jobs;
use crate::backup::conditions::{COMPLETE, set, stamp};
use crate::backup::heard::Heard;
use crate::backup::{needs, summary};
use crate::cluster::Error;
use crate::context::Context;
use crate::names::FIELD_MANAGER;

/// Steps of one call; then others have their turn.
const STEPS_MAX: usize = 12;

/// Makes what is due of one EtcdBackupSchedule, looks after what was made, and tells its EtcdCluster.
///
/// # Errors
/// What Kubernetes said; nothing is lost by calling again.
pub async fn reconcile(schedule: Arc<EtcdBackupSchedule>, context: Arc<Context>) -> Result<Action, Error> {
    for _ in 0..STEPS_MAX {
        match turn(&context, &schedule).await {
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
async fn turn(context: &Context, schedule: &EtcdBackupSchedule) -> Result<Option<Action>, Error> {
    let namespace = schedule.namespace().unwrap_or_default();
    let api = Api::<EtcdBackupSchedule>::namespaced(context.client.clone(), &namespace);
    let fresh = api.get_opt(&schedule.name_any()).await?;
    let Some(schedule) = fresh.filter(|one| one.metadata.deletion_timestamp.is_none()) else {
        return Ok(Some(Action::await_change()));
    };
    let seen = look(context, schedule).await?;
    let planned = plan(&seen, &context.settings);
    let again = if planned.step_first {
        let again = refusing(context, &seen, &planned).await?;
        write(context, &seen, &planned).await?;
        again
    } else {
        write(context, &seen, &planned).await?;
        refusing(context, &seen, &planned).await?
    };
    if again.is_some() {
        summary::refresh(context, &namespace, &seen.schedule.spec.template.cluster_ref.name).await?;
    }
    Ok(again)
}

/// A person has to see what is refused: nobody else would notice that there are no backups.
async fn refusing(context: &Context, seen: &Seen, planned: &Plan) -> Result<Option<Action>, Error> {
    let acted = act(context, seen, &planned.step).await;
    if let Some(problem) = acted.as_ref().err().and_then(Error::refusal) {
        let mut status = seen.schedule.status.clone().unwrap_or_default();
        let at = (seen.now, seen.schedule.metadata.generation);
        let kind = crate::backup::conditions::SCHEDULED;
        set(
            &mut status.conditions,
            kind,
            false,
            (problem.reason, &problem.message),
            at,
        );
        let told = Plan {
            status,
            ..planned.clone()
        };
        write(context, seen, &told).await?;
        context
            .outlets
            .events
            .warn(&seen.schedule, problem.reason, &problem.message)
            .await;
    }
    acted
}

async fn look(context: &Context, schedule: EtcdBackupSchedule) -> Result<Seen, Error> {
    let namespace = schedule.namespace().unwrap_or_default();
    let client = &context.client;
    let ours = ListParams::default().labels(&format!("{SCHEDULE}={}", schedule.name_any()));
    let backups = Api::<EtcdBackup>::namespaced(client.clone(), &namespace)
        .list(&ours)
        .await?;
    let every = ListParams::default();
    let clusters = Api::<EtcdCluster>::namespaced(client.clone(), &namespace)
        .list(&every)
        .await?
        .items;
    let others = Api::<EtcdBackupSchedule>::namespaced(client.clone(), &namespace)
        .list(&every)
        .await?
        .items;
    let heard = Heard::of(client, &namespace, &schedule.uid().unwrap_or_default()).await?;
    let needed = needs::of_target(&schedule.spec.template.target, None);
    let missing = match schedule.spec.retention {
        Some(_) => needs::missing(client, &namespace, &needed).await?,
        None => None,
    };
    let name = &schedule.spec.template.cluster_ref.name;
    Ok(Seen {
        now: context.now(),
        history: History::of(backups.items),
        heard,
        cluster: clusters.iter().find(|one| one.name_any() == *name).cloned(),
        restored: restored(&clusters),
        sharing: sharing(&schedule, &others),
        missing,
        schedule,
    })
}

/// What clusters begin with that are not founded yet.
fn restored(clusters: &[EtcdCluster]) -> Restored {
    let unfounded = clusters
        .iter()
        .filter(|one| one.status.as_ref().is_none_or(|status| status.cluster_id.is_none()));
    let restores = unfounded.filter_map(|one| one.spec.bootstrap.as_ref()?.restore.as_ref());
    let sources: Vec<_> = restores.map(|restore| &restore.source).collect();
    Restored {
        backups: sources.iter().filter_map(|source| source.backup_name.clone()).collect(),
        keys: sources
            .iter()
            .filter_map(|source| Some(source.object.as_ref()?.key.clone()))
            .collect(),
    }
}

fn sharing(schedule: &EtcdBackupSchedule, others: &[EtcdBackupSchedule]) -> Vec<String> {
    let place = place(&schedule.spec.template.target);
    let same = others
        .iter()
        .filter(|one| one.uid() != schedule.uid() && self::place(&one.spec.template.target) == place);
    let mut names: Vec<String> = same.map(ResourceExt::name_any).collect();
    names.sort();
    names
}

/// A target without what it is entered by.
fn place(target: &BackupTarget) -> BackupTarget {
    let mut place = target.clone();
    if let Some(s3) = &mut place.s3 {
        s3.credentials_secret_ref = None;
    }
    if let Some(gcs) = &mut place.gcs {
        gcs.credentials_secret_ref = None;
    }
    if let Some(azure) = &mut place.azure {
        azure.credentials_secret_ref = None;
    }
    place
}

async fn act(context: &Context, seen: &Seen, step: &Step) -> Result<Option<Action>, Error> {
    let namespace = seen.schedule.namespace().unwrap_or_default();
    let jobs = Jobs::of(&context.client, &namespace);
    let backups = Api::<EtcdBackup>::namespaced(context.client.clone(), &namespace);
    match step {
        Step::Wait(pause) => return Ok(Some(Action::requeue((*pause).max(Duration::from_secs(1))))),
        Step::Make(backup) => make(&backups, backup).await?,
        Step::Replace(all) => {
            for one in all {
                replace(context, &backups, one).await?;
            }
        }
        Step::Prune(job) => jobs.make(&seen.schedule, job).await?,
        Step::Expire(all) => {
            for one in all {
                expire(context, &backups, one).await?;
            }
        }
        Step::Forget(all) => {
            for one in all {
                forget(&backups, one).await?;
            }
        }
        Step::Sweep(all) => jobs.stop(all).await?,
    }
    Ok(None)
}

/// The name says which one it is: one that is there already is it.
async fn make(api: &Api<EtcdBackup>, backup: &EtcdBackup) -> Result<(), Error> {
    let params = PostParams {
        field_manager: Some(FIELD_MANAGER.into()),
        ..PostParams::default()
    };
    match api.create(&params, backup).await {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        other => Ok(other.map(drop)?),
    }
}

async fn replace(context: &Context, api: &Api<EtcdBackup>, backup: &EtcdBackup) -> Result<(), Error> {
    let message = "the next one was due before it was there: give it more time, or make backups less often";
    let mut status = backup.status.clone().unwrap_or_default();
    status.completed_at = Some(stamp(context.now()));
    let at = (context.now(), backup.metadata.generation);
    set(&mut status.conditions, COMPLETE, false, ("Replaced", message), at);
    become_(api, backup, status, (BackupPhase::Failed, "Replaced", message)).await?;
    context.outlets.events.warn(backup, "BackupReplaced", message).await;
    Ok(())
}

async fn expire(context: &Context, api: &Api<EtcdBackup>, backup: &EtcdBackup) -> Result<(), Error> {
    let message = "the retention of its schedule has removed it from the store";
    let mut status = backup.status.clone().unwrap_or_default();
    let at = (context.now(), backup.metadata.generation);
    set(&mut status.conditions, COMPLETE, false, ("Expired", message), at);
    become_(api, backup, status, (BackupPhase::Expired, "Expired", message)).await?;
    context.outlets.events.done(backup, "BackupExpired", message).await;
    Ok(())
}

async fn become_(
    api: &Api<EtcdBackup>,
    backup: &EtcdBackup,
    mut status: EtcdBackupStatus,
    (phase, reason, message): (BackupPhase, &str, &str),
) -> Result<(), Error> {
    status.phase = phase;
    status.reason = Some(reason.into());
    status.message = Some(message.into());
    let patch = json!({"metadata": {"resourceVersion": backup.resource_version()}, "status": status});
    match api
        .patch_status(&backup.name_any(), &PatchParams::default(), &Patch::Merge(patch))
        .await
    {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => Ok(other.map(drop)?),
    }
}

async fn forget(api: &Api<EtcdBackup>, backup: &EtcdBackup) -> Result<(), Error> {
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: backup.uid(),
            resource_version: backup.resource_version(),
        }),
        ..DeleteParams::background()
    };
    match api.delete(&backup.name_any(), &params).await {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => Ok(other.map(drop)?),
    }
}

async fn write(context: &Context, seen: &Seen, planned: &Plan) -> Result<(), Error> {
    let status = &planned.status;
    if seen.schedule.status.as_ref() == Some(status) {
        return Ok(());
    }
    let namespace = seen.schedule.namespace().unwrap_or_default();
    let api = Api::<EtcdBackupSchedule>::namespaced(context.client.clone(), &namespace);
    let mut fields = serde_json::to_value(status).unwrap_or_default();
    // In a merge patch what is not there stays as it was: what has gone is said to be null.
    for (field, none) in [
        ("nextScheduleTime", Value::Null),
        ("active", json!([])),
        ("conditions", json!([])),
    ] {
        fields.as_object_mut().map(|all| all.entry(field).or_insert(none));
    }
    let patch = json!({"metadata": {"resourceVersion": seen.schedule.resource_version()}, "status": fields});
    api.patch_status(&seen.schedule.name_any(), &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    if let Some(note) = &planned.skipped {
        context.outlets.events.warn(&seen.schedule, "BackupLeftOut", note).await;
    }
    tell_of_sharing(context, seen).await;
    Ok(())
}

/// Once: when it is seen first.
async fn tell_of_sharing(context: &Context, seen: &Seen) {
    let kind = crate::backup::conditions::SHARED;
    let known = seen
        .schedule
        .status
        .iter()
        .flat_map(|status| &status.conditions)
        .any(|one| one.type_ == kind);
    if !seen.sharing.is_empty() && !known {
        let note = format!("{} keep backups in the same place", seen.sharing.join(", "));
        context.outlets.events.warn(&seen.schedule, "TargetShared", &note).await;
    }
}
