//! Volumes that are folders of this machine: made, grown and deleted as a storage driver would.
//!
//! Enters: claims of classes with [`PROVISIONER`], once the scheduler chose a node for their pod. Leaves: `local`
//! volumes tied to that node, on which kubelet applies fsGroup. Always holds: a folder is deleted only when its
//! volume was released and says so itself.

mod claims;
mod quantity;
mod volumes;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use futures::StreamExt;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::watcher;
use kube::{Api, Client};

use crate::state::State;

pub const PROVISIONER: &str = "e2e.taffrail.dev/folder";
const RETRY_PAUSE: Duration = Duration::from_millis(500);

pub struct Context {
    pub client: Client,
    pub folder: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Api(#[from] kube::Error),
    #[error("the folder of a volume: {0}")]
    Folder(#[from] std::io::Error),
    #[error("no size: {0}")]
    Size(String),
}

#[tokio::main]
pub async fn run(state: &State) -> Result<ExitCode> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let client = Client::try_default().await?;
    let context = Arc::new(Context {
        client: client.clone(),
        folder: state.folder("volumes")?,
    });
    let claims: Api<PersistentVolumeClaim> = Api::all(client.clone());
    let claims = Controller::new(claims, watcher::Config::default()).run(claims::reconcile, retry, context.clone());
    let volumes: Api<PersistentVolume> = Api::all(client);
    let volumes = Controller::new(volumes, watcher::Config::default()).run(volumes::reconcile, retry, context);
    // Errors were logged where they were met, and are retried.
    tokio::join!(claims.for_each(|_| async {}), volumes.for_each(|_| async {}));
    Ok(ExitCode::SUCCESS)
}

fn retry<K>(_: Arc<K>, error: &Error, _: Arc<Context>) -> Action {
    tracing::warn!("tried again soon: {error}");
    Action::requeue(RETRY_PAUSE)
}
