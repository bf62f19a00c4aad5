//! The kinds that the operator keeps: their YAML, and whether the API server knows them.

use std::fmt::Debug;
use std::time::Duration;

use kube::Client;
use kube::api::{Api, ListParams, PartialObjectMeta};
use kube::core::NamespaceResourceScope;
use serde::de::DeserializeOwned;
use taffrail_crds::{
    EtcdBackup, EtcdBackupSchedule, EtcdCluster, EtcdDefragmentation, EtcdMember, EtcdRole, EtcdUser, KINDS, yaml_of,
};

const AGAIN: Duration = Duration::from_secs(2);

/// Every kind, for `kubectl apply`.
///
/// # Errors
/// If a kind cannot be written as YAML, which would be a mistake in the types.
pub fn yaml() -> anyhow::Result<String> {
    let texts = KINDS.iter().map(|kind| yaml_of(&(kind.definition)()));
    Ok(texts.collect::<Result<Vec<_>, _>>()?.join("---\n"))
}

/// Comes back once every kind can be listed where it has to be: it is there, and the operator may.
pub async fn wait(client: &Client, namespaces: &[Option<String>]) {
    for namespace in namespaces {
        listed::<EtcdCluster>(&scoped(client, namespace.as_deref())).await;
        listed::<EtcdMember>(&scoped(client, namespace.as_deref())).await;
        listed::<EtcdBackup>(&scoped(client, namespace.as_deref())).await;
        listed::<EtcdBackupSchedule>(&scoped(client, namespace.as_deref())).await;
        listed::<EtcdDefragmentation>(&scoped(client, namespace.as_deref())).await;
        listed::<EtcdUser>(&scoped(client, namespace.as_deref())).await;
        listed::<EtcdRole>(&scoped(client, namespace.as_deref())).await;
    }
}

async fn listed<K>(api: &Api<PartialObjectMeta<K>>)
where
    K: kube::Resource + Clone + Debug + DeserializeOwned,
{
    let one = ListParams::default().limit(1);
    while let Err(error) = api.list(&one).await {
        tracing::warn!(%error, url = api.resource_url(), "waits for the kind to be there and to be allowed");
        tokio::time::sleep(AGAIN).await;
    }
}

/// Objects of one namespace, or of all.
pub fn scoped<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: kube::Resource<Scope = NamespaceResourceScope>,
    K::DynamicType: Default,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}
