//! What is written about defragmentations. Every write can be repeated, and one that comes too late is refused.

use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use serde_json::{Value, json};
use taffrail_crds::{EtcdDefragmentation, EtcdDefragmentationStatus};

use crate::cluster::Error;
use crate::context::Context;
use crate::names::FIELD_MANAGER;

pub fn api(context: &Context, namespace: &str) -> Api<EtcdDefragmentation> {
    Api::namespaced(context.client.clone(), namespace)
}

/// Writes what changed, unless somebody wrote since it was read.
///
/// # Errors
/// What the API server said; 409 if somebody did.
pub async fn write(
    context: &Context,
    task: &EtcdDefragmentation,
    status: &EtcdDefragmentationStatus,
) -> Result<(), Error> {
    if task.status.as_ref() == Some(status) {
        return Ok(());
    }
    let mut fields = serde_json::to_value(status).unwrap_or_default();
    // In a merge patch what is not there stays as it was: what has gone is said to be null.
    if let Some(all) = fields.as_object_mut() {
        all.entry("current").or_insert(Value::Null);
    }
    let patch = json!({"metadata": {"resourceVersion": task.resource_version()}, "status": fields});
    let api = api(context, &task.namespace().unwrap_or_default());
    api.patch_status(&task.name_any(), &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    Ok(())
}

/// The name says which one it is: one that is there already is it.
///
/// # Errors
/// What the API server said.
pub async fn make(context: &Context, task: &EtcdDefragmentation) -> Result<(), Error> {
    let params = PostParams {
        field_manager: Some(FIELD_MANAGER.into()),
        ..PostParams::default()
    };
    let api = api(context, &task.namespace().unwrap_or_default());
    match api.create(&params, task).await {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        other => Ok(other.map(drop)?),
    }
}

/// Deletes what it was when it was read.
///
/// # Errors
/// What the API server said; one that has gone or changed is no error.
pub async fn forget(context: &Context, task: &EtcdDefragmentation) -> Result<(), Error> {
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: task.uid(),
            resource_version: task.resource_version(),
        }),
        ..DeleteParams::background()
    };
    let api = api(context, &task.namespace().unwrap_or_default());
    match api.delete(&task.name_any(), &params).await {
        Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => Ok(()),
        other => Ok(other.map(drop)?),
    }
}
