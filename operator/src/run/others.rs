//! Kinds beside the cluster: each object is looked at when it, its Jobs or what it made change, or when it is time.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};
use k8s_openapi::api::batch::v1::Job;
use kube::api::PartialObjectMeta;
use kube::core::{DeserializeGuard, NamespaceResourceScope};
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use taffrail_crds::{EtcdBackup, EtcdBackupSchedule, EtcdCluster, MANAGED_BY, MANAGER, SCHEDULE};
use tokio::sync::{mpsc, watch};

use super::controller::{DEBOUNCE, UNREADABLE_AGAIN};
use super::kinds::scoped;
use crate::backoff::{Backoff, chance};
use crate::backup::{backups, schedules, tell_cluster};
use crate::cluster::Error;
use crate::context::Context;
use crate::poller::Key;

/// Clusters that are to be told that something of theirs has gone; with more at a time the next look tells them.
const GONE_MAX: usize = 256;

/// A kind that has a reconciliation of its own.
pub trait Kept:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug + Send + Sync + 'static
{
    fn reconcile(object: Arc<Self>, context: Arc<Context>) -> BoxFuture<'static, Result<Action, Error>>;
    /// What else leads to it.
    fn beside(
        controller: Controller<Guarded<Self>>,
        client: &Client,
        namespace: Option<&str>,
    ) -> Controller<Guarded<Self>>;
    /// The EtcdCluster it is about.
    fn cluster(&self) -> &str;
}

/// One that cannot be decoded does not stop the others.
pub(super) type Guarded<K> = DeserializeGuard<K>;

impl Kept for EtcdBackup {
    fn reconcile(object: Arc<Self>, context: Arc<Context>) -> BoxFuture<'static, Result<Action, Error>> {
        backups::reconcile(object, context).boxed()
    }

    fn beside(
        controller: Controller<Guarded<Self>>,
        client: &Client,
        namespace: Option<&str>,
    ) -> Controller<Guarded<Self>> {
        jobs(controller, client, namespace)
    }

    fn cluster(&self) -> &str {
        &self.spec.cluster_ref.name
    }
}

impl Kept for EtcdBackupSchedule {
    fn reconcile(object: Arc<Self>, context: Arc<Context>) -> BoxFuture<'static, Result<Action, Error>> {
        schedules::reconcile(object, context).boxed()
    }

    fn beside(
        controller: Controller<Guarded<Self>>,
        client: &Client,
        namespace: Option<&str>,
    ) -> Controller<Guarded<Self>> {
        let made = watcher::Config::default().labels(SCHEDULE);
        let backups = scoped::<PartialObjectMeta<EtcdBackup>>(client, namespace);
        jobs(controller, client, namespace).watches(backups, made, |backup| maker(&backup))
    }

    fn cluster(&self) -> &str {
        &self.spec.template.cluster_ref.name
    }
}

fn jobs<K: Kept>(
    controller: Controller<Guarded<K>>,
    client: &Client,
    namespace: Option<&str>,
) -> Controller<Guarded<K>> {
    let ours = watcher::Config::default().labels(&format!("{MANAGED_BY}={MANAGER}"));
    let jobs = scoped::<PartialObjectMeta<Job>>(client, namespace);
    controller.watches(jobs, ours, |job| owner(&job))
}

fn owner<K: Kept>(job: &PartialObjectMeta<Job>) -> Option<ObjectRef<Guarded<K>>> {
    let mut owners = job.metadata.owner_references.iter().flatten();
    let owner = owners.find(|owner| owner.kind == K::kind(&()))?;
    Some(ObjectRef::new(&owner.name).within(job.metadata.namespace.as_deref()?))
}

fn maker<K: Kept>(backup: &PartialObjectMeta<EtcdBackup>) -> Option<ObjectRef<Guarded<K>>> {
    let schedule = backup.metadata.labels.as_ref()?.get(SCHEDULE)?;
    Some(ObjectRef::new(schedule).within(backup.metadata.namespace.as_deref()?))
}

/// One controller of one kind.
pub struct Keeper<K: Kept> {
    context: Arc<Context>,
    backoff: Backoff,
    store: Store<Guarded<K>>,
    failing: Mutex<BTreeSet<Key>>,
}

/// Keeps all objects of a kind until `stop` is true and what was begun is finished.
pub async fn keep<K: Kept>(
    context: Arc<Context>,
    namespace: Option<String>,
    concurrency: u16,
    mut stop: watch::Receiver<bool>,
) {
    let (store, writer) = reflector::store();
    let (gone, left) = mpsc::channel(GONE_MAX);
    let objects = scoped::<Guarded<K>>(&context.client, namespace.as_deref());
    let seen = watcher::watcher(objects, watcher::Config::default())
        .reflect(writer)
        .inspect_ok(move |event| note_gone(event, &gone))
        .applied_objects();
    let controller = Controller::for_stream(seen, store.clone());
    let controller = K::beside(controller, &context.client, namespace.as_deref());
    let controller = controller
        .with_config(Config::default().debounce(DEBOUNCE).concurrency(concurrency))
        .graceful_shutdown_on(async move {
            let _ = stop.wait_for(|stopped| *stopped).await;
        });
    let keeper = Keeper {
        context: context.clone(),
        backoff: Backoff::default(),
        store,
        failing: Mutex::default(),
    };
    let looks = controller.run(look::<K>, again::<K>, Arc::new(keeper));
    let looks = looks.for_each(|looked| async {
        if let Err(error) = looked {
            tracing::debug!(%error, "look");
        }
    });
    let telling = tokio::spawn(tell(context, left));
    looks.await;
    telling.abort();
}

fn note_gone<K: Kept>(event: &watcher::Event<Guarded<K>>, gone: &mpsc::Sender<Key>) {
    if let watcher::Event::Delete(DeserializeGuard(Ok(object))) = event {
        let key = (object.namespace().unwrap_or_default(), object.cluster().to_owned());
        let _ = gone.try_send(key);
    }
}

async fn tell(context: Arc<Context>, mut left: mpsc::Receiver<Key>) {
    while let Some((namespace, cluster)) = left.recv().await {
        if let Err(error) = tell_cluster(&context, &namespace, &cluster).await {
            tracing::debug!(%error, namespace, cluster, "its backups will be summed up by the next look");
        }
    }
}

async fn look<K: Kept>(guarded: Arc<Guarded<K>>, keeper: Arc<Keeper<K>>) -> Result<Action, Error> {
    let object = match &guarded.0 {
        Ok(object) => Arc::new(object.clone()),
        Err(invalid) => {
            // A cluster is counted by its own controller.
            if K::kind(&()) != EtcdCluster::kind(&()) {
                keeper.context.outlets.metrics.unreadable(&K::kind(&()));
            }
            let note = format!(
                "cannot be understood by this operator, which leaves it alone: {}",
                invalid.error
            );
            keeper
                .context
                .outlets
                .events
                .warn(guarded.as_ref(), "Unreadable", &note)
                .await;
            return Ok(Action::requeue(UNREADABLE_AGAIN));
        }
    };
    let looked = K::reconcile(object, keeper.context.clone()).await;
    if looked.is_ok() {
        let key = key_of(guarded.as_ref());
        keeper.backoff.succeeded(&word(&key));
        keeper
            .failing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&key);
    }
    looked
}

fn again<K: Kept>(guarded: Arc<Guarded<K>>, error: &Error, keeper: Arc<Keeper<K>>) -> Action {
    let key = key_of(guarded.as_ref());
    let pause = keeper.backoff.failed(&word(&key), chance());
    keeper.context.outlets.metrics.failed(error.label());
    tracing::warn!(kind = %K::kind(&()), namespace = key.0, name = key.1, %error, ?pause, "a look failed");
    keeper.remember(key);
    Action::requeue(pause)
}

impl<K: Kept> Keeper<K> {
    /// Errors of what has gone are forgotten.
    fn remember(&self, key: Key) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        failing.insert(key);
        failing.retain(|key| {
            let there = self.store.get(&ObjectRef::new(&key.1).within(&key.0)).is_some();
            if !there {
                self.backoff.succeeded(&word(key));
            }
            there
        });
    }
}

fn key_of<K: Kept>(object: &Guarded<K>) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

fn word((namespace, name): &Key) -> String {
    format!("{namespace}/{name}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn meta<K>(value: serde_json::Value) -> PartialObjectMeta<K> {
        serde_json::from_value(json!({"metadata": value})).unwrap()
    }

    #[test]
    fn a_job_leads_to_whom_it_works_for_and_a_backup_to_its_schedule() {
        let owners =
            json!([{"apiVersion": "etcd.taffrail.dev/v1alpha1", "kind": "EtcdBackup", "name": "b", "uid": "u"}]);
        let job = meta(json!({"name": "x", "namespace": "ns", "ownerReferences": owners}));
        assert_eq!(owner::<EtcdBackup>(&job).unwrap().name, "b");
        assert!(owner::<EtcdBackupSchedule>(&job).is_none());
        let backup = meta(json!({"name": "x", "namespace": "ns", "labels": {SCHEDULE: "nightly"}}));
        assert_eq!(maker::<EtcdBackupSchedule>(&backup).unwrap().name, "nightly");
    }
}
