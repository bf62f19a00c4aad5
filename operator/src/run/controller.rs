//! When a cluster is looked at: it or something of it changed, a member looks different, or it is time.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::PartialObjectMeta;
use kube::core::{DeserializeGuard, NamespaceResourceScope};
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Resource, ResourceExt};
use taffrail_crds::{
    CLUSTER, EtcdBackup, EtcdBackupSchedule, EtcdCluster, EtcdDefragmentation, EtcdMember, EtcdRole, EtcdUser,
    MANAGED_BY, MANAGER,
};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;

use super::kinds::scoped;
use super::others;
use crate::args::Run;
use crate::backoff::{Backoff, chance};
use crate::cluster;
use crate::context::Context;
use crate::health::Readiness;
use crate::poller::{Key, Poller};

/// Changes that come so close together are looked at once.
pub(super) const DEBOUNCE: Duration = Duration::from_millis(100);
/// Clusters whose picture changed, per controller; more than that are named again the next time.
const CHANGED_MAX: usize = 256;
/// An object that cannot be read is looked at again when it changes; this is for the event to stay alive.
pub(super) const UNREADABLE_AGAIN: Duration = Duration::from_secs(300);

/// One that cannot be decoded does not stop the others.
type Guarded = DeserializeGuard<EtcdCluster>;

/// All that is done while one acts.
#[derive(Clone)]
pub struct Work {
    context: Arc<Context>,
    args: Arc<Run>,
    backoff: Backoff,
    known: Arc<Mutex<BTreeSet<Key>>>,
}

impl Work {
    pub fn new(context: Arc<Context>, args: Run) -> Self {
        Self {
            context,
            args: Arc::new(args),
            backoff: Backoff::default(),
            known: Arc::default(),
        }
    }

    /// Works until `stop` is true and what was begun is finished.
    ///
    /// # Errors
    /// If a part of it ends although nobody asked it to.
    pub async fn run(self, readiness: Readiness, stop: watch::Receiver<bool>) -> Result<()> {
        self.context.outlets.metrics.leads();
        let namespaces = self.args.namespaces();
        readiness.fills(namespaces.len());
        let (mut stores, mut words, mut running) = (Vec::new(), Vec::new(), JoinSet::new());
        for namespace in namespaces {
            let (send, receive) = mpsc::channel(CHANGED_MAX);
            let full = Full::new(readiness.clone());
            let controller = self.controller(namespace.as_deref(), receive, stop.clone(), full.clone());
            stores.push((controller.store(), full));
            words.push((namespace.clone(), send));
            running.spawn(self.clone().drive(controller));
            let (context, many) = (self.context.clone(), self.args.concurrency);
            running.spawn(others::keep::<EtcdBackup>(
                context.clone(),
                namespace.clone(),
                many,
                stop.clone(),
            ));
            running.spawn(others::keep::<EtcdBackupSchedule>(
                context.clone(),
                namespace.clone(),
                many,
                stop.clone(),
            ));
            running.spawn(others::keep::<EtcdDefragmentation>(
                context.clone(),
                namespace.clone(),
                many,
                stop.clone(),
            ));
            running.spawn(others::keep::<EtcdUser>(
                context.clone(),
                namespace.clone(),
                many,
                stop.clone(),
            ));
            running.spawn(others::keep::<EtcdRole>(
                context.clone(),
                namespace.clone(),
                many,
                stop.clone(),
            ));
            running.spawn(others::keep::<EtcdCluster>(context, namespace, many, stop.clone()));
        }
        let beside = [self.clone().poll(words), self.clone().sweep(stores)];
        let beside: Vec<_> = beside.into_iter().map(tokio::spawn).collect();
        let ended = finished(&mut running, &stop).await;
        beside.iter().for_each(tokio::task::JoinHandle::abort);
        ended
    }

    fn controller(
        &self,
        namespace: Option<&str>,
        changed: mpsc::Receiver<Key>,
        mut stop: watch::Receiver<bool>,
        full: Full,
    ) -> Controller<Guarded> {
        let client = &self.context.client;
        let (clusters, writer) = reflector::store();
        let seen = watcher::watcher(scoped::<Guarded>(client, namespace), watcher::Config::default())
            .reflect(writer)
            .inspect_ok(move |event| full.note(event))
            .applied_objects();
        let controller = Controller::for_stream(seen, clusters.clone());
        let controller = watches::<EtcdMember>(controller, client, namespace);
        let controller = watches::<Pod>(controller, client, namespace);
        let controller = watches::<PersistentVolumeClaim>(controller, client, namespace);
        let controller = watches::<Service>(controller, client, namespace);
        let controller = watches::<PodDisruptionBudget>(controller, client, namespace);
        let secrets = scoped::<PartialObjectMeta<Secret>>(client, namespace);
        let named = |(namespace, name): Key| ObjectRef::new(&name).within(&namespace);
        controller
            .watches(secrets, watcher::Config::default(), move |secret| {
                wanting(&clusters, &secret)
            })
            .reconcile_on(ReceiverStream::new(changed).map(named))
            .with_config(Config::default().debounce(DEBOUNCE).concurrency(self.args.concurrency))
            .graceful_shutdown_on(async move {
                let _ = stop.wait_for(|stopped| *stopped).await;
            })
    }

    async fn drive(self, controller: Controller<Guarded>) {
        let run = controller.run(look, again, Arc::new(self));
        run.for_each(|looked| async {
            if let Err(error) = looked {
                tracing::debug!(%error, "look");
            }
        })
        .await;
    }

    fn poll(self, words: Vec<(Option<String>, mpsc::Sender<Key>)>) -> futures::future::BoxFuture<'static, ()> {
        let poller = Poller::new(self.context.etcd.clone(), self.context.outlets.watchlist.clone());
        let changed = move |key: &Key| {
            let meant = words
                .iter()
                .find(|(namespace, _)| namespace.as_ref().is_none_or(|one| *one == key.0));
            meant.is_none_or(|(_, send)| send.try_send(key.clone()).is_ok())
        };
        Box::pin(async move { poller.poll(self.args.health_interval, changed).await })
    }

    /// Forgets clusters that are no more.
    fn sweep(self, stores: Vec<(Store<Guarded>, Full)>) -> futures::future::BoxFuture<'static, ()> {
        Box::pin(async move {
            let mut ticks = tokio::time::interval(self.args.health_interval);
            loop {
                ticks.tick().await;
                if stores.iter().all(|(_, full)| full.is()) {
                    self.forget_gone(&stores);
                }
            }
        })
    }

    fn forget_gone(&self, stores: &[(Store<Guarded>, Full)]) {
        let there = |(namespace, name): &Key| {
            let reference = ObjectRef::new(name).within(namespace);
            stores.iter().any(|(store, _)| store.get(&reference).is_some())
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let gone: Vec<Key> = known.iter().filter(|key| !there(key)).cloned().collect();
        for key in gone {
            known.remove(&key);
            self.context.outlets.watchlist.forget(&key);
            self.context.outlets.refusals.forget(&key);
            self.context.outlets.metrics.forget(&key.0, &key.1);
            self.backoff.succeeded(&word(&key));
        }
    }
}

/// Everything with the cluster's label, and what it owns without one.
fn watches<K>(controller: Controller<Guarded>, client: &kube::Client, namespace: Option<&str>) -> Controller<Guarded>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + std::fmt::Debug + Send + Sync + 'static,
{
    let ours = watcher::Config::default().labels(&format!("{MANAGED_BY}={MANAGER}"));
    let api = scoped::<PartialObjectMeta<K>>(client, namespace);
    controller.watches(api, ours, |object| belongs_to(&object))
}

fn belongs_to<K: Resource<DynamicType = ()>>(object: &PartialObjectMeta<K>) -> Option<ObjectRef<Guarded>> {
    let namespace = object.metadata.namespace.as_deref()?;
    let owners = object.metadata.owner_references.iter().flatten();
    let owner = owners
        .filter(|owner| owner.kind == EtcdCluster::kind(&()))
        .map(|owner| owner.name.as_str());
    let label = object.metadata.labels.iter().flatten().find(|(key, _)| *key == CLUSTER);
    let name = owner.into_iter().next().or(label.map(|(_, name)| name.as_str()))?;
    Some(ObjectRef::new(name).within(namespace))
}

/// Whose it is, and who names it in its spec.
fn wanting(clusters: &Store<Guarded>, secret: &PartialObjectMeta<Secret>) -> Vec<ObjectRef<Guarded>> {
    let namespace = secret.metadata.namespace.as_deref();
    let names = |cluster: &Guarded| {
        cluster.0.as_ref().is_ok_and(|one| {
            one.metadata.namespace.as_deref() == namespace && named_secrets(one).contains(&secret.name_any().as_str())
        })
    };
    let naming = clusters.state_filter(names);
    let naming = naming.iter().map(|cluster| ObjectRef::from_obj(cluster.as_ref()));
    belongs_to(secret).into_iter().chain(naming).collect()
}

fn named_secrets(cluster: &EtcdCluster) -> Vec<&str> {
    let tls = &cluster.spec.tls;
    let given = [&tls.client, &tls.peer]
        .into_iter()
        .filter_map(|source| source.secrets.as_ref());
    let given = given.flat_map(|secrets| std::iter::once(&secrets.server).chain(&secrets.client));
    let root = cluster
        .spec
        .auth
        .iter()
        .filter_map(|auth| auth.root_secret_ref.as_ref())
        .map(|one| &one.name);
    given.chain(root).map(String::as_str).collect()
}

async fn look(guarded: Arc<Guarded>, work: Arc<Work>) -> Result<Action, cluster::Error> {
    let cluster = match &guarded.0 {
        Ok(cluster) => Arc::new(cluster.clone()),
        Err(invalid) => {
            work.context.outlets.metrics.unreadable(&EtcdCluster::kind(&()));
            let note = format!(
                "cannot be understood by this operator, which leaves it alone: {}",
                invalid.error
            );
            work.context
                .outlets
                .events
                .warn(guarded.as_ref(), "Unreadable", &note)
                .await;
            return Ok(Action::requeue(UNREADABLE_AGAIN));
        }
    };
    let key = key_of(guarded.as_ref());
    work.known
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(key.clone());
    work.context.outlets.metrics.show(&cluster);
    let began = Instant::now();
    let looked = cluster::reconcile(cluster, work.context.clone()).await;
    let label = looked.as_ref().err().map(cluster::Error::label);
    work.context.outlets.metrics.looked(began.elapsed(), label);
    if looked.is_ok() {
        work.backoff.succeeded(&word(&key));
    }
    looked
}

fn again(guarded: Arc<Guarded>, error: &cluster::Error, work: Arc<Work>) -> Action {
    let key = key_of(guarded.as_ref());
    let pause = work.backoff.failed(&word(&key), chance());
    tracing::warn!(namespace = key.0, cluster = key.1, %error, ?pause, "a look failed");
    Action::requeue(pause)
}

fn key_of(cluster: &Guarded) -> Key {
    (cluster.namespace().unwrap_or_default(), cluster.name_any())
}

fn word((namespace, name): &Key) -> String {
    format!("{namespace}/{name}")
}

/// Whether every object has been seen once. The store's own word for it reaches only the last of those who wait for
/// it, and that has to be the controller.
#[derive(Clone)]
struct Full(Arc<AtomicBool>, Readiness);

impl Full {
    fn new(readiness: Readiness) -> Self {
        Self(Arc::default(), readiness)
    }

    fn note<K>(&self, event: &watcher::Event<K>) {
        if matches!(event, watcher::Event::InitDone) && !self.0.swap(true, Ordering::AcqRel) {
            self.1.filled();
        }
    }

    fn is(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Every controller has ended, and was asked to.
async fn finished(running: &mut JoinSet<()>, stop: &watch::Receiver<bool>) -> Result<()> {
    while let Some(ended) = running.join_next().await {
        ended.map_err(|error| anyhow!("a controller broke: {error}"))?;
    }
    match *stop.borrow() {
        true => Ok(()),
        false => Err(anyhow!("the controllers ended although nobody stopped them")),
    }
}

#[cfg(test)]
#[path = "controller_tests.rs"]
mod tests;
