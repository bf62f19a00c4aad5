//! A claim gets a volume, and a larger one when it asks for more.

use std::path::Path;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};
use serde_json::json;

use super::{Context, Error, PROVISIONER, quantity};

const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// Anybody's, as with a fresh disk's root folder: kubelet gives it to the pod's group.
const FOLDER_MODE: u32 = 0o770;

pub async fn reconcile(claim: Arc<PersistentVolumeClaim>, context: Arc<Context>) -> Result<Action, Error> {
    let Some(class) = class(&claim, &context).await? else {
        return Ok(Action::await_change());
    };
    if claim.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    match (volume_name(&claim), claim.annotations().get(SELECTED_NODE)) {
        (Some(volume), _) => grow(&claim, &class, volume, &context).await?,
        (None, Some(node)) => provision(&claim, &class, node, &context).await?,
        (None, None) => {}
    }
    Ok(Action::await_change())
}

/// The claim's class, if its volumes are ours.
async fn class(claim: &PersistentVolumeClaim, context: &Context) -> Result<Option<StorageClass>, Error> {
    let Some(name) = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref()) else {
        return Ok(None);
    };
    let class = Api::<StorageClass>::all(context.client.clone()).get_opt(name).await?;
    Ok(class.filter(|class| class.provisioner == PROVISIONER))
}

fn volume_name(claim: &PersistentVolumeClaim) -> Option<&str> {
    claim
        .spec
        .as_ref()?
        .volume_name
        .as_deref()
        .filter(|name| !name.is_empty())
}

async fn provision(
    claim: &PersistentVolumeClaim,
    class: &StorageClass,
    node: &str,
    context: &Context,
) -> Result<(), Error> {
    let name = format!("pvc-{}", claim.uid().unwrap_or_default());
    let path = context.folder.join(&name);
    make_folder(&path)?;
    let volume = volume(claim, class, node, &name, &path)?;
    let volumes: Api<PersistentVolume> = Api::all(context.client.clone());
    match volumes.create(&PostParams::default(), &volume).await {
        Ok(_) => tracing::info!("{name} for {} on {node}", claim.name_any()),
        // Made by an earlier attempt.
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn make_folder(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(FOLDER_MODE))
}

fn volume(
    claim: &PersistentVolumeClaim,
    class: &StorageClass,
    node: &str,
    name: &str,
    path: &Path,
) -> Result<PersistentVolume, Error> {
    let spec = claim.spec.clone().unwrap_or_default();
    let at_node = json!({"key": "kubernetes.io/hostname", "operator": "In", "values": [node]});
    let volume = json!({
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER}},
        "spec": {
            "capacity": spec.resources.and_then(|resources| resources.requests),
            "accessModes": spec.access_modes,
            "persistentVolumeReclaimPolicy": class.reclaim_policy,
            "storageClassName": class.name_any(),
            "volumeMode": "Filesystem",
            "local": {"path": path},
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": claim.namespace(),
                "name": claim.name_any(), "uid": claim.uid()},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [at_node]}]}},
        },
    });
    serde_json::from_value(volume).map_err(|error| Error::Api(kube::Error::SerdeError(error)))
}

/// The volume first, then what the claim is told: in that order a claim never has more than its volume.
async fn grow(
    claim: &PersistentVolumeClaim,
    class: &StorageClass,
    volume: &str,
    context: &Context,
) -> Result<(), Error> {
    let wanted = claim
        .spec
        .as_ref()
        .and_then(|spec| spec.resources.as_ref()?.requests.as_ref()?.get("storage"));
    let has = claim
        .status
        .as_ref()
        .and_then(|status| status.capacity.as_ref()?.get("storage"));
    let (Some(wanted), Some(has)) = (wanted, has) else {
        return Ok(());
    };
    if quantity::bytes(wanted)? <= quantity::bytes(has)? || class.allow_volume_expansion != Some(true) {
        return Ok(());
    }
    let capacity = json!({"capacity": {"storage": wanted}});
    let volumes: Api<PersistentVolume> = Api::all(context.client.clone());
    volumes
        .patch(
            volume,
            &PatchParams::default(),
            &Patch::Merge(json!({"spec": capacity})),
        )
        .await?;
    let claims: Api<PersistentVolumeClaim> =
        Api::namespaced(context.client.clone(), &claim.namespace().unwrap_or_default());
    let status = Patch::Merge(json!({"status": capacity}));
    claims
        .patch_status(&claim.name_any(), &PatchParams::default(), &status)
        .await?;
    tracing::info!("{volume} grown from {} to {}", has.0, wanted.0);
    Ok(())
}
