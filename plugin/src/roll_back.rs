//! `roll-back`: a living EtcdCluster goes back to a backup.

use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use taffrail_crds::{
    ACCEPT_DATA_LOSS, EtcdBackup, EtcdCluster, RECOVER_FROM, ROLL_BACK_TO, RestorePhase, RollBackPhase,
};

use crate::args::RollBack;
use crate::ask::MANAGER;
use crate::failure::Failure;
use crate::find;
use crate::follow::{Progress, follow};
use crate::restore::{failed, going, is_complete, usable};
use crate::session::Session;

pub async fn run(session: &Session, flags: RollBack) -> Result<(), Failure> {
    if flags.accept_data_loss != flags.cluster {
        let (said, name) = (&flags.accept_data_loss, &flags.cluster);
        return Err(Failure::Wrong(format!(
            "--accept-data-loss names {said}, not {name}: nothing is done. Everything that was written to {name} after \
             the backup would be lost"
        )));
    }
    let cluster = find::cluster(session, &flags.cluster).await?;
    let backup: EtcdBackup = find::named(session, &flags.to).await?;
    usable(&backup)?;
    same_cluster(&cluster, &backup)?;
    nothing_else_under_way(&cluster, &flags.to)?;
    ask(session, &cluster, &flags.to).await?;
    session
        .out
        .line(&format!("etcdcluster/{} goes back to {}", flags.cluster, flags.to));
    let before = begun(&cluster);
    match flags.wait.wait {
        true => {
            follow(session, &flags.cluster, &flags.wait, |seen| {
                progress(seen, before.as_deref())
            })
            .await
        }
        false => Ok(()),
    }
}

/// The operator would take any backup of the namespace; another cluster's by mistake would be the end of this one.
fn same_cluster(cluster: &EtcdCluster, backup: &EtcdBackup) -> Result<(), Failure> {
    let (name, of) = (cluster.name_any(), &backup.spec.cluster_ref.name);
    if *of == name {
        return Ok(());
    }
    Err(Failure::Wrong(format!(
        "the EtcdBackup {} is of the cluster {of}, not of {name}; `restore` makes a new cluster of it",
        backup.name_any()
    )))
}

fn nothing_else_under_way(cluster: &EtcdCluster, to: &str) -> Result<(), Failure> {
    let name = cluster.name_any();
    let status = cluster.status.clone().unwrap_or_default();
    if let Some(other) = status.roll_back.filter(|one| one.phase != RollBackPhase::Done) {
        return Err(Failure::Wrong(format!(
            "{name} is on its way back to {} already",
            other.to
        )));
    }
    let asked = [ROLL_BACK_TO, RECOVER_FROM].map(|key| cluster.annotations().get(key));
    match asked {
        [Some(other), _] if other != to => Err(Failure::Wrong(format!(
            "{name} was asked to go back to {other} already"
        ))),
        [_, Some(_)] => Err(Failure::Wrong(format!(
            "{name} was asked to recover from a lost quorum"
        ))),
        _ => Ok(()),
    }
}

/// Only upon the object that was looked at.
async fn ask(session: &Session, cluster: &EtcdCluster, to: &str) -> Result<(), Failure> {
    let name = cluster.name_any();
    let annotations = json!({ROLL_BACK_TO: to, ACCEPT_DATA_LOSS: name});
    let patch = json!({"metadata": {
        "uid": cluster.metadata.uid,
        "resourceVersion": cluster.metadata.resource_version,
        "annotations": annotations,
    }});
    let params = PatchParams {
        field_manager: Some(MANAGER.into()),
        ..PatchParams::default()
    };
    let patched = session
        .api::<EtcdCluster>()
        .patch(&name, &params, &Patch::Merge(patch))
        .await;
    patched
        .map(drop)
        .map_err(|error| Failure::of(error, &format!("annotate the EtcdCluster {name}")))
}

fn begun(cluster: &EtcdCluster) -> Option<String> {
    let roll_back = cluster.status.as_ref()?.roll_back.as_ref()?;
    Some(roll_back.started_at.clone())
}

/// `before`: when the roll-back before this one began.
fn progress(cluster: &EtcdCluster, before: Option<&str>) -> Progress {
    let name = cluster.name_any();
    let status = cluster.status.clone().unwrap_or_default();
    let (Some(roll_back), Some(restore)) = (&status.roll_back, &status.restore) else {
        return Progress::Going(not_begun(&name, cluster));
    };
    if before == Some(roll_back.started_at.as_str()) {
        return Progress::Going(not_begun(&name, cluster));
    }
    match (roll_back.phase, restore.phase) {
        (_, RestorePhase::Failed) => Progress::Failed(failed(&name, restore)),
        (RollBackPhase::Done, RestorePhase::Restored) if is_complete(cluster) => Progress::Done(format!(
            "{name} serves the data of {}; the old volumes are kept aside",
            roll_back.to
        )),
        _ => Progress::Going(going(&name, cluster)),
    }
}

/// A backup that cannot be had holds it up; the condition says why.
fn not_begun(name: &str, cluster: &EtcdCluster) -> String {
    let status = cluster.status.clone().unwrap_or_default();
    let degraded = status
        .conditions
        .iter()
        .find(|one| one.type_ == "Degraded" && one.status == "True");
    match degraded {
        Some(condition) => format!("{name} has not begun to go back: {}", condition.message),
        None => format!("{name} has not begun to go back"),
    }
}
