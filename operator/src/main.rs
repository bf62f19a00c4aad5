//! Stand-in until the process has its shell.
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::watcher;
use kube::{Api, Client};
use taffrail_crds::{EtcdCluster, EtcdMember};
use taffrail_operator::cluster::{Error, reconcile};
use taffrail_operator::context::{Context, Settings};
use taffrail_operator::etcd::EtcdClient;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().init();
    let client = Client::try_default().await?;
    let settings = Settings {
        image_repository: std::env::var("IMAGE").unwrap_or("taffrail/server".into()),
        resync: Duration::from_secs(20),
        ..Settings::default()
    };
    let context = Arc::new(Context {
        client: client.clone(),
        etcd: Arc::new(EtcdClient::new(Duration::from_secs(5))),
        clock: Arc::new(jiff::Timestamp::now),
        settings: Arc::new(settings),
    });
    let mine = watcher::Config::default().labels("app.kubernetes.io/managed-by=taffrail-operator");
    Controller::new(Api::<EtcdCluster>::all(client.clone()), watcher::Config::default())
        .owns(Api::<EtcdMember>::all(client.clone()), mine.clone())
        .owns(Api::<Pod>::all(client.clone()), mine.clone())
        .owns(Api::<PersistentVolumeClaim>::all(client.clone()), mine)
        .with_config(Config::default().debounce(Duration::from_millis(50)))
        .run(
            reconcile,
            |_: Arc<EtcdCluster>, error: &Error, _| {
                tracing::warn!(%error, "failed");
                Action::requeue(Duration::from_secs(2))
            },
            context,
        )
        .for_each(async |_| {})
        .await;
    Ok(())
}
