//! A volume whose claim is gone goes too, if its policy is to.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use k8s_openapi::api::core::v1::PersistentVolume;
use kube::api::DeleteParams;
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};

use super::{Context, Error, PROVISIONER};

pub async fn reconcile(volume: Arc<PersistentVolume>, context: Arc<Context>) -> Result<Action, Error> {
    if let Some(path) = folder_to_delete(&volume, &context.folder) {
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let volumes: Api<PersistentVolume> = Api::all(context.client.clone());
        volumes.delete(&volume.name_any(), &DeleteParams::default()).await?;
        tracing::info!("{} deleted", volume.name_any());
    }
    Ok(Action::await_change())
}

/// Only one that lies where volumes are made.
fn folder_to_delete(volume: &PersistentVolume, folder: &Path) -> Option<std::path::PathBuf> {
    let spec = volume.spec.as_ref()?;
    let is_ours = volume
        .annotations()
        .get("pv.kubernetes.io/provisioned-by")
        .is_some_and(|by| by == PROVISIONER);
    let is_released = volume.status.as_ref()?.phase.as_deref() == Some("Released");
    let is_to_go = spec.persistent_volume_reclaim_policy.as_deref() == Some("Delete");
    let is_going = volume.metadata.deletion_timestamp.is_some();
    let path = folder.join(volume.name_any());
    let is_there = Path::new(&spec.local.as_ref()?.path) == path;
    (is_ours && is_released && is_to_go && is_there && !is_going).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(phase: &str, policy: &str, path: &str) -> PersistentVolume {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "pvc-1", "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER}},
            "spec": {"persistentVolumeReclaimPolicy": policy, "local": {"path": path}},
            "status": {"phase": phase},
        }))
        .unwrap()
    }

    #[test]
    fn only_a_released_volume_that_is_to_be_deleted_loses_its_folder() {
        let folder = Path::new("/volumes");
        let cases = [
            ("Released", "Delete", "/volumes/pvc-1", true),
            ("Bound", "Delete", "/volumes/pvc-1", false),
            ("Released", "Retain", "/volumes/pvc-1", false),
            ("Released", "Delete", "/elsewhere/pvc-1", false),
        ];
        for (phase, policy, path, expected) in cases {
            assert_eq!(
                folder_to_delete(&volume(phase, policy, path), folder).is_some(),
                expected,
                "{phase} {policy}"
            );
        }
    }
}
