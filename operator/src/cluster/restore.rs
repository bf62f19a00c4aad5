//! What a restore is made from, and what became of its pod.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use taffrail_crds::{
    BackupPhase, EtcdBackup, Restore, RestoreObject, RestorePhase, RestoreSource, RestoreStatus, SCHEDULE,
};

use super::observe::Observed;
use super::{Error, build};
use crate::backup::{Outcome, needs};
use crate::context::Context;
use crate::owner::is_owned_by;
use crate::problem::Problem;

/// Notes in `seen` what is to be restored and how far it is. Costs no call unless something is.
pub async fn look(context: &Context, seen: &mut Observed) -> Result<(), Error> {
    if is_open(seen) {
        let chosen = match choose(context, seen).await? {
            Ok(chosen) => with_its_needs(context, seen, chosen).await,
            problem => problem,
        };
        if let (Err(problem), Some(_)) = (&chosen, seen.cluster_id()) {
            seen.problems.push(problem.clone());
        }
        seen.restore_source = Some(chosen);
    }
    if let (Some(_), None, Some(first)) = (seen.restore_status(), seen.cluster_id(), seen.members.first()) {
        let pods: Api<Pod> = Api::namespaced(context.client.clone(), &seen.names.namespace);
        let uid = first.record.uid();
        let of_member = |pod: &Pod| is_owned_by(&pod.metadata, uid.as_deref());
        let pod = pods.get_opt(&build::restore_name(first.name())).await?;
        seen.restore_pod = pod.filter(of_member);
    }
    Ok(())
}

/// Something is declared that nothing has come of yet.
fn is_open(seen: &Observed) -> bool {
    if seen.roll_back_to().is_some() {
        return true;
    }
    let undecided = seen
        .restore_status()
        .is_none_or(|one| one.phase == RestorePhase::Failed);
    seen.cluster_id().is_none() && undecided && declared(seen).is_some()
}

fn declared(seen: &Observed) -> Option<&Restore> {
    seen.cluster.spec.bootstrap.as_ref()?.restore.as_ref()
}

async fn choose(context: &Context, seen: &Observed) -> Result<Result<RestoreStatus, Problem>, Error> {
    let how = declared(seen);
    let source = match (seen.roll_back_to(), how) {
        (Some(name), _) => RestoreSource {
            backup_name: Some(name.to_owned()),
            ..RestoreSource::default()
        },
        (None, Some(restore)) => restore.source.clone(),
        (None, None) => return Ok(Err(Problem::new("NoSource", "no source is declared"))),
    };
    let api: Api<EtcdBackup> = Api::namespaced(context.client.clone(), &seen.names.namespace);
    let found = match (&source.backup_name, &source.schedule_name, &source.object) {
        (Some(name), ..) => named(&api, name).await?,
        (_, Some(schedule), _) => newest(&api, schedule).await?,
        (.., Some(object)) => return Ok(Ok(chosen(seen, how, object.clone(), None))),
        _ => Err(Problem::new("NoSource", "spec.bootstrap.restore.source names nothing")),
    };
    Ok(found.map(|backup| of_backup(seen, how, &backup)))
}

/// A pod that waits for a Secret tells nobody.
async fn with_its_needs(context: &Context, seen: &Observed, chosen: RestoreStatus) -> Result<RestoreStatus, Problem> {
    let object = &chosen.object;
    let identity = object
        .encryption
        .as_ref()
        .and_then(|one| one.identity_secret_ref.as_ref());
    let needs = needs::of_target(&object.target, identity.map(|secret| secret.name.as_str()));
    match needs::missing(&context.client, &seen.names.namespace, &needs).await {
        Ok(Some(problem)) => Err(problem),
        // What cannot be looked at is found out by the pod.
        Ok(None) | Err(_) => Ok(chosen),
    }
}

async fn named(api: &Api<EtcdBackup>, name: &str) -> Result<Result<EtcdBackup, Problem>, Error> {
    Ok(match api.get_opt(name).await? {
        Some(backup) => usable(backup),
        None => {
            let message = format!(
                "there is no EtcdBackup {name} in this namespace: name one that is there, or the object itself by \
                 source.object"
            );
            Err(Problem::new("BackupMissing", message))
        }
    })
}

/// What is there and was not found to be bad.
fn usable(backup: EtcdBackup) -> Result<EtcdBackup, Problem> {
    let name = backup.name_any();
    let status = backup.status.clone().unwrap_or_default();
    let (reason, what) = match status.phase {
        BackupPhase::Succeeded | BackupPhase::Verifying if status.artifact.is_some() => return Ok(backup),
        BackupPhase::Unusable => ("BackupUnusable", "was verified and is not what was in the cluster"),
        BackupPhase::Failed => ("BackupFailed", "has failed"),
        BackupPhase::Expired => (
            "BackupExpired",
            "was removed from the store by its schedule's retention",
        ),
        _ => ("BackupPending", "is not finished yet"),
    };
    Err(Problem::new(reason, format!("the EtcdBackup {name} {what}")))
}

async fn newest(api: &Api<EtcdBackup>, schedule: &str) -> Result<Result<EtcdBackup, Problem>, Error> {
    let of_schedule = ListParams::default().labels(&format!("{SCHEDULE}={schedule}"));
    let good = api
        .list(&of_schedule)
        .await?
        .items
        .into_iter()
        .filter_map(|one| usable(one).ok());
    let newest = good.max_by_key(|one| {
        one.status
            .as_ref()?
            .artifact
            .as_ref()
            .map(|artifact| artifact.taken_at.clone())
    });
    let none = || {
        let message = format!("the EtcdBackupSchedule {schedule} has no good EtcdBackup in this namespace");
        Problem::new("BackupMissing", message)
    };
    Ok(newest.ok_or_else(none))
}

fn of_backup(seen: &Observed, how: Option<&Restore>, backup: &EtcdBackup) -> RestoreStatus {
    let artifact = backup.status.as_ref().and_then(|status| status.artifact.clone());
    let object = RestoreObject {
        target: backup.spec.target.clone(),
        key: artifact
            .as_ref()
            .map(|artifact| artifact.key.clone())
            .unwrap_or_default(),
        encryption: backup.spec.encryption.clone(),
    };
    let mut chosen = chosen(seen, how, object, Some(backup.name_any()));
    chosen.artifact = artifact;
    if how.is_none() {
        chosen.pod = backup.spec.pod.clone();
    }
    chosen
}

fn chosen(seen: &Observed, how: Option<&Restore>, object: RestoreObject, backup_name: Option<String>) -> RestoreStatus {
    RestoreStatus {
        phase: RestorePhase::Restoring,
        object,
        backup_name,
        artifact: None,
        bump_revision: how.map_or(taffrail_crds::DEFAULT_BUMP, |how| how.bump_revision),
        mark_compacted: how.is_none_or(|how| how.mark_compacted),
        pod: how.map(|how| how.pod.clone()).unwrap_or_default(),
        failures: 0,
        reason: None,
        message: None,
        started_at: seen.now.to_string(),
        failed_at: None,
        finished_at: None,
    }
}

/// Why a pod failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub reason: String,
    pub message: String,
    /// Another attempt would meet it again.
    pub hopeless: bool,
}

/// What the container that failed said in its last words.
pub fn failure(pod: &Pod) -> Failure {
    let status = pod.status.as_ref();
    let all = status.map(|status| [&status.init_container_statuses, &status.container_statuses]);
    let failed = all.into_iter().flatten().flatten().flatten().find_map(ended_badly);
    failed.unwrap_or_else(|| Failure {
        reason: status
            .and_then(|one| one.reason.clone())
            .unwrap_or_else(|| "PodFailed".into()),
        message: status
            .and_then(|one| one.message.clone())
            .unwrap_or_else(|| "its pod has failed".into()),
        hopeless: false,
    })
}

/// It found the data directory in place: the volume had been filled, and the restore had nothing to work on.
pub fn is_filled(pod: &Pod) -> bool {
    let fetch = pod
        .status
        .iter()
        .flat_map(|status| status.init_container_statuses.iter().flatten());
    let mut words = fetch.filter_map(|one| one.state.as_ref()?.terminated.as_ref()?.message.as_deref());
    words.any(|words| {
        let said = serde_json::from_str(words.trim());
        matches!(
            said,
            Ok(Outcome::Fetched {
                artifact: None,
                snapshot_bytes: 0
            })
        )
    })
}

fn ended_badly(container: &ContainerStatus) -> Option<Failure> {
    let end = container
        .state
        .as_ref()?
        .terminated
        .as_ref()
        .filter(|end| end.exit_code != 0)?;
    let words = end.message.clone().unwrap_or_default();
    if let Ok(Outcome::Failed {
        reason,
        message,
        hopeless,
    }) = serde_json::from_str(words.trim())
    {
        return Some(Failure {
            reason,
            message,
            hopeless,
        });
    }
    let why = end.reason.clone().unwrap_or_default();
    Some(Failure {
        reason: "RestoreFailed".into(),
        message: format!(
            "{} ended with exit code {} ({why}): {}",
            container.name,
            end.exit_code,
            words.trim()
        ),
        hopeless: false,
    })
}
