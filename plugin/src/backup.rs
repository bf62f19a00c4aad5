//! `backup`: an EtcdBackup of a cluster.

use kube::ResourceExt;
use kube::api::ListParams;
use taffrail_crds::{BackupPhase, ClusterRef, EtcdBackup, EtcdBackupSchedule, EtcdBackupSpec};

use crate::args::Backup;
use crate::failure::Failure;
use crate::follow::{Progress, follow};
use crate::session::Session;
use crate::show::bytes;
use crate::{ask, find};

pub async fn run(session: &Session, flags: Backup) -> Result<(), Failure> {
    find::cluster(session, &flags.cluster).await?;
    let mut spec = spec(session, &flags).await?;
    spec.verify |= flags.verify;
    let stamped = || format!("{}-{}", flags.cluster, session.stamp());
    let name = flags.name.clone().unwrap_or_else(stamped);
    let verify = spec.verify;
    let mut backup = EtcdBackup::new(&name, spec);
    backup.metadata.namespace = Some(session.namespace.clone());
    ask::make(session, &backup, flags.dry_run).await?;
    match flags.wait.wait {
        true => follow(session, &name, &flags.wait, |backup| progress(backup, verify)).await,
        false => Ok(()),
    }
}

async fn spec(session: &Session, flags: &Backup) -> Result<EtcdBackupSpec, Failure> {
    let cluster_ref = ClusterRef {
        name: flags.cluster.clone(),
    };
    if let Some(target) = flags.target.target() {
        return Ok(EtcdBackupSpec {
            target,
            encryption: flags.target.encryption(),
            ..plain(cluster_ref)
        });
    }
    let schedule = match &flags.schedule {
        Some(name) => find::named(session, name).await?,
        None => only_schedule(session, &flags.cluster).await?,
    };
    of_schedule(&flags.cluster, &schedule)
}

fn plain(cluster_ref: ClusterRef) -> EtcdBackupSpec {
    let least = serde_json::json!({"clusterRef": cluster_ref, "target": {}});
    serde_json::from_value(least).expect("every other field has a default")
}

/// A schedule says where its own cluster's backups go; another cluster's do not belong there.
fn of_schedule(cluster: &str, schedule: &EtcdBackupSchedule) -> Result<EtcdBackupSpec, Failure> {
    let spec = &schedule.spec.template;
    if spec.cluster_ref.name != cluster {
        let (name, other) = (schedule.name_any(), &spec.cluster_ref.name);
        return Err(Failure::Wrong(format!(
            "the schedule {name} is of the cluster {other}, not of {cluster}"
        )));
    }
    Ok(spec.clone())
}

async fn only_schedule(session: &Session, cluster: &str) -> Result<EtcdBackupSchedule, Failure> {
    let list = session.api::<EtcdBackupSchedule>().list(&ListParams::default()).await;
    let list = list.map_err(|error| Failure::of(error, "list EtcdBackupSchedules"))?;
    let mut of_it = list
        .items
        .into_iter()
        .filter(|one| one.spec.template.cluster_ref.name == cluster);
    let (first, others) = (of_it.next(), of_it.map(|one| one.name_any()).collect::<Vec<_>>());
    match first {
        Some(only) if others.is_empty() => {
            session
                .notes
                .line(&format!("where the schedule {} does it", only.name_any()));
            Ok(only)
        }
        Some(first) => {
            let names = [vec![first.name_any()], others].concat().join(", ");
            Err(Failure::Wrong(format!(
                "{cluster} has several schedules: choose by --schedule: {names}"
            )))
        }
        None => Err(Failure::Wrong(format!(
            "where to? {cluster} has no schedule: say --s3-bucket, --gcs-bucket, --azure-container or --volume"
        ))),
    }
}

fn progress(backup: &EtcdBackup, verify: bool) -> Progress {
    let name = backup.name_any();
    let status = backup.status.clone().unwrap_or_default();
    let why = [status.reason.as_deref(), status.message.as_deref()];
    let why: Vec<_> = why.into_iter().flatten().filter(|text| !text.is_empty()).collect();
    let why = if why.is_empty() {
        String::new()
    } else {
        format!(": {}", why.join(": "))
    };
    match status.phase {
        BackupPhase::Pending | BackupPhase::Running | BackupPhase::Verifying => {
            Progress::Going(format!("{name} {:?}{why}", status.phase))
        }
        BackupPhase::Succeeded | BackupPhase::Expired if verify && !is_verified(&status) => {
            Progress::Failed(format!("{name} is stored and could not be verified{why}"))
        }
        BackupPhase::Succeeded | BackupPhase::Expired => Progress::Done(stored(&name, &status)),
        BackupPhase::Failed => Progress::Failed(format!("{name} failed{why}")),
        BackupPhase::Unusable => Progress::Failed(format!("{name} is stored and is not what was in the cluster{why}")),
    }
}

fn is_verified(status: &taffrail_crds::EtcdBackupStatus) -> bool {
    let verified = status.verification.as_ref();
    verified.is_some_and(|one| one.verified_at.is_some())
}

fn stored(name: &str, status: &taffrail_crds::EtcdBackupStatus) -> String {
    let artifact = status.artifact.clone().unwrap_or_default();
    let verified = if is_verified(status) { ", verified" } else { "" };
    let (uri, size, revision) = (artifact.uri, bytes(artifact.size_bytes), artifact.revision);
    format!("{name} Succeeded: {uri}, {size}, revision {revision}{verified}")
}
