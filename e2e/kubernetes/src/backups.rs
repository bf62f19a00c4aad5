//! Backups of a cluster, and how they end.

use kube::Api;
use serde_json::{Value, json};
use taffrail_crds::{BackupPhase, EtcdBackup, EtcdBackupStatus};

use crate::{Cluster, Namespace, PATIENCE, wait};

/// Asks for a backup of the cluster.
pub async fn ask(cluster: &Cluster, name: &str, target: Value, more: Value) {
    let mut spec = json!({"clusterRef": {"name": cluster.name}, "target": target});
    let all = spec.as_object_mut().expect("an object");
    all.extend(more.as_object().cloned().unwrap_or_default());
    let object = json!({"apiVersion": "etcd.taffrail.dev/v1alpha1", "kind": "EtcdBackup",
                        "metadata": {"name": name}, "spec": spec});
    cluster.namespace.apply(&object.to_string()).await.expect("it is valid");
}

/// How it ended.
pub async fn end_of(namespace: &Namespace, name: &str) -> EtcdBackupStatus {
    let api: Api<EtcdBackup> = namespace.api();
    wait::until(&format!("{name} comes to an end"), PATIENCE, async || {
        let status = api.get(name).await.ok()?.status?;
        let going = [BackupPhase::Pending, BackupPhase::Running, BackupPhase::Verifying];
        (!going.contains(&status.phase)).then_some(status)
    })
    .await
}
