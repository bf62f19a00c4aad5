//! Defragmentations, and clusters whose policy makes some or whose quota is reached.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use kube::api::PartialObjectMeta;
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use kube::{Client, ResourceExt};
use taffrail_crds::{CAUSE, CLUSTER, EtcdCluster, EtcdDefragmentation, EtcdRole, EtcdUser};

use super::access::about;
use super::kinds::scoped;
use super::others::{Guarded, Kept};
use crate::cluster::Error;
use crate::context::Context;
use crate::upkeep::{cluster, defragmentation};

impl Kept for EtcdDefragmentation {
    fn reconcile(object: Arc<Self>, context: Arc<Context>) -> BoxFuture<'static, Result<Action, Error>> {
        defragmentation::reconcile(object, context).boxed()
    }

    fn beside(controller: Controller<Guarded<Self>>, _: &Client, _: Option<&str>) -> Controller<Guarded<Self>> {
        controller
    }

    fn cluster(&self) -> &str {
        &self.spec.cluster_ref.name
    }
}

/// Its upkeep alone: the members are kept by a controller of their own.
impl Kept for EtcdCluster {
    fn reconcile(object: Arc<Self>, context: Arc<Context>) -> BoxFuture<'static, Result<Action, Error>> {
        cluster::reconcile(object, context).boxed()
    }

    fn beside(
        controller: Controller<Guarded<Self>>,
        client: &Client,
        namespace: Option<&str>,
    ) -> Controller<Guarded<Self>> {
        let made = watcher::Config::default().labels(CAUSE);
        let tasks = scoped::<PartialObjectMeta<EtcdDefragmentation>>(client, namespace);
        let controller = controller.watches(tasks, made, |task| {
            let cluster = task.labels().get(CLUSTER)?;
            Some(ObjectRef::new(cluster).within(task.metadata.namespace.as_deref()?))
        });
        // What was kept for one that has gone goes too.
        let controller = about::<Self, EtcdUser>(controller, client, namespace);
        about::<Self, EtcdRole>(controller, client, namespace)
    }

    fn cluster(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }
}
