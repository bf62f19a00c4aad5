//! `restore`: a new EtcdCluster with a backup's data.

use kube::ResourceExt;
use taffrail_crds::{
    BackupPhase, BackupPod, Bootstrap, DEFAULT_BUMP, EtcdBackup, EtcdBackupSchedule, EtcdCluster, EtcdClusterSpec,
    RestorePhase, RestoreSource, RestoreStatus,
};

use crate::args::Restore;
use crate::failure::Failure;
use crate::follow::{Progress, follow};
use crate::session::Session;
use crate::{ask, find};

pub async fn run(session: &Session, flags: Restore) -> Result<(), Failure> {
    let source = source(session, &flags).await?;
    let mut cluster = EtcdCluster::new(&flags.new_cluster, spec(session, &flags, source).await?);
    cluster.metadata.namespace = Some(session.namespace.clone());
    let made = ask::make(session, &cluster, flags.dry_run).await;
    made.map_err(|failure| explained(failure, &flags.new_cluster))?;
    match flags.wait.wait {
        true => follow(session, &flags.new_cluster, &flags.wait, progress).await,
        false => Ok(()),
    }
}

fn explained(failure: Failure, name: &str) -> Failure {
    match failure {
        Failure::Wrong(why) if why.contains("already exists") => Failure::Wrong(format!(
            "the EtcdCluster {name} is there: restore makes a new cluster and touches none that is there; roll-back \
             takes a living one back"
        )),
        other => other,
    }
}

/// Looked at first, so that whoever asks hears at once of what cannot be.
async fn source(session: &Session, flags: &Restore) -> Result<RestoreSource, Failure> {
    if let Some(name) = &flags.from_backup {
        usable(&find::named(session, name).await?)?;
    }
    if let Some(name) = &flags.from_schedule {
        find::named::<EtcdBackupSchedule>(session, name).await?;
    }
    Ok(RestoreSource {
        backup_name: flags.from_backup.clone(),
        schedule_name: flags.from_schedule.clone(),
        object: None,
    })
}

/// # Errors
/// If there is nothing behind the EtcdBackup that a cluster could begin with. One that is being made is waited for by
/// the operator.
pub fn usable(backup: &EtcdBackup) -> Result<(), Failure> {
    let phase = backup.status.as_ref().map(|status| status.phase).unwrap_or_default();
    match phase {
        BackupPhase::Failed | BackupPhase::Unusable | BackupPhase::Expired => {
            let name = backup.name_any();
            Err(Failure::Wrong(format!(
                "the EtcdBackup {name} cannot be restored: it is {phase:?}"
            )))
        }
        BackupPhase::Pending | BackupPhase::Running | BackupPhase::Verifying | BackupPhase::Succeeded => Ok(()),
    }
}

async fn spec(session: &Session, flags: &Restore, source: RestoreSource) -> Result<EtcdClusterSpec, Failure> {
    let mut spec = match &flags.like {
        Some(other) => find::cluster(session, other).await?.spec,
        None => serde_json::from_str("{}").expect("every field has a default"),
    };
    spec.bootstrap = Some(Bootstrap {
        restore: Some(taffrail_crds::Restore {
            source,
            bump_revision: DEFAULT_BUMP,
            mark_compacted: true,
            pod: BackupPod::default(),
        }),
    });
    // A pause of the other is none of this one's.
    spec.paused = false;
    if let Some(replicas) = flags.replicas {
        spec.replicas = replicas;
    }
    if let Some(size) = &flags.size {
        spec.storage.size = size.clone();
    }
    Ok(spec)
}

fn progress(cluster: &EtcdCluster) -> Progress {
    let name = cluster.name_any();
    let status = cluster.status.clone().unwrap_or_default();
    match &status.restore {
        Some(restore) if restore.phase == RestorePhase::Failed => Progress::Failed(failed(&name, restore)),
        Some(restore) if restore.phase == RestorePhase::Restored && is_complete(cluster) => {
            Progress::Done(format!("{name} serves the data of {}", restore.object.key))
        }
        _ => Progress::Going(going(&name, cluster)),
    }
}

pub fn failed(name: &str, restore: &RestoreStatus) -> String {
    let (reason, message) = (restore.reason.as_deref(), restore.message.as_deref());
    format!(
        "{name}: {}: {}",
        reason.unwrap_or("Failed"),
        message.unwrap_or("the restore failed")
    )
}

/// All members that are declared serve.
pub fn is_complete(cluster: &EtcdCluster) -> bool {
    let status = cluster.status.clone().unwrap_or_default();
    let available = status
        .conditions
        .iter()
        .any(|one| one.type_ == "Available" && one.status == "True");
    available && status.cluster_id.is_some() && status.ready_replicas >= cluster.spec.replicas
}

pub fn going(name: &str, cluster: &EtcdCluster) -> String {
    let status = cluster.status.clone().unwrap_or_default();
    let phase = status
        .phase
        .unwrap_or_else(|| "not looked at by an operator yet".into());
    let doing = status.doing.filter(|text| !text.is_empty());
    format!(
        "{name} {phase}{}",
        doing.map(|text| format!(": {text}")).unwrap_or_default()
    )
}
