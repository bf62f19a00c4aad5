//! Users and roles: looked at when they, their Secrets, their roles, or what they are kept in change.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PartialObjectMeta;
use kube::core::DeserializeGuard;
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use taffrail_crds::{ConditionType, EtcdCluster, EtcdRole, EtcdUser};

use super::kinds::scoped;
use super::others::{Guarded, Kept};
use crate::access::{self, Declared};
use crate::cluster::Error;
use crate::context::Context;
use crate::poller::Key;

impl Kept for EtcdUser {
    fn reconcile(object: Arc<Self>, context: Arc<Context>) -> BoxFuture<'static, Result<Action, Error>> {
        access::reconcile(object, context).boxed()
    }

    fn beside(
        controller: Controller<Guarded<Self>>,
        client: &Client,
        namespace: Option<&str>,
    ) -> Controller<Guarded<Self>> {
        let (of_secrets, of_roles) = (controller.store(), controller.store());
        let secrets = scoped::<PartialObjectMeta<Secret>>(client, namespace);
        let roles = scoped::<Guarded<EtcdRole>>(client, namespace);
        let every = watcher::Config::default;
        in_clusters(controller, client, namespace)
            .watches(secrets, every(), move |secret| {
                let key = (secret.namespace().unwrap_or_default(), secret.name_any());
                those(&of_secrets, |user| takes_password_from(user, &key))
            })
            .watches(roles, every(), move |role| match &role.0 {
                Ok(role) => those(&of_roles, |user| has_role(user, role)),
                Err(_) => Vec::new(),
            })
    }

    fn cluster(&self) -> &str {
        &self.spec.cluster_ref.name
    }
}

impl Kept for EtcdRole {
    fn reconcile(object: Arc<Self>, context: Arc<Context>) -> BoxFuture<'static, Result<Action, Error>> {
        access::reconcile(object, context).boxed()
    }

    fn beside(
        controller: Controller<Guarded<Self>>,
        client: &Client,
        namespace: Option<&str>,
    ) -> Controller<Guarded<Self>> {
        in_clusters(controller, client, namespace)
    }

    fn cluster(&self) -> &str {
        &self.spec.cluster_ref.name
    }
}

/// Whatever is about a cluster leads to it.
pub(super) fn about<C: Kept, K: Kept>(
    controller: Controller<Guarded<C>>,
    client: &Client,
    namespace: Option<&str>,
) -> Controller<Guarded<C>> {
    let all = scoped::<Guarded<K>>(client, namespace);
    controller.watches(all, watcher::Config::default(), |object| {
        let object = object.0.as_ref().ok()?;
        Some(ObjectRef::new(object.cluster()).within(&object.namespace()?))
    })
}

/// A cluster leads to all that is kept in it, if something changed that they depend on.
fn in_clusters<K: Kept>(
    controller: Controller<Guarded<K>>,
    client: &Client,
    namespace: Option<&str>,
) -> Controller<Guarded<K>> {
    let (store, faces) = (controller.store(), Faces::default());
    let clusters = scoped::<Guarded<EtcdCluster>>(client, namespace);
    controller.watches(clusters, watcher::Config::default(), move |cluster| {
        let Ok(cluster) = &cluster.0 else { return Vec::new() };
        let key = (cluster.namespace().unwrap_or_default(), cluster.name_any());
        match faces.is_new(&key, cluster) {
            true => those(&store, |one: &K| {
                one.namespace().as_ref() == Some(&key.0) && one.cluster() == key.1
            }),
            false => Vec::new(),
        }
    })
}

/// What users and roles depend on, per cluster. Its status is written much more often.
#[derive(Default)]
struct Faces(Mutex<BTreeMap<Key, Value>>);

impl Faces {
    fn is_new(&self, key: &Key, cluster: &EtcdCluster) -> bool {
        let face = face(cluster);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(key.clone(), face.clone())
            .is_none_or(|before| before != face)
    }
}

fn face(cluster: &EtcdCluster) -> Value {
    let status = cluster.status.clone().unwrap_or_default();
    let mut conditions = status.conditions.iter();
    let available = conditions.any(|one| one.type_ == ConditionType::Available.name() && one.status == "True");
    json!([
        cluster.uid(),
        cluster.spec.paused,
        cluster.spec.replicas == 0,
        status.cluster_id,
        status.recovery,
        status.roll_back,
        status.auth_enabled,
        available,
    ])
}

fn those<K: Kept>(store: &Store<Guarded<K>>, so: impl Fn(&K) -> bool) -> Vec<ObjectRef<Guarded<K>>> {
    let found = store.state_filter(|one: &DeserializeGuard<K>| one.0.as_ref().is_ok_and(&so));
    found.iter().map(|one| ObjectRef::from_obj(one.as_ref())).collect()
}

fn takes_password_from(user: &EtcdUser, (namespace, secret): &Key) -> bool {
    let named = user.spec.password_secret_ref.as_ref().map(|reference| &reference.name);
    user.namespace().as_ref() == Some(namespace) && named == Some(secret)
}

fn has_role(user: &EtcdUser, role: &EtcdRole) -> bool {
    let same_cluster = user.namespace() == role.namespace() && user.cluster_name() == role.cluster_name();
    same_cluster && user.spec.roles.contains(&role.name_in_etcd())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object<K: serde::de::DeserializeOwned>(value: Value) -> K {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_secret_and_a_role_lead_to_the_users_that_name_them() {
        let head = |kind: &str, name: &str, spec: Value| {
            json!({"apiVersion": "etcd.taffrail.dev/v1alpha1", "kind": kind,
                "metadata": {"name": name, "namespace": "ns"}, "spec": spec})
        };
        let about = json!({"name": "a"});
        let user: EtcdUser = object(head(
            "EtcdUser",
            "web",
            json!({"clusterRef": about, "passwordSecretRef": {"name": "s"}, "roles": ["app"]}),
        ));
        assert!(takes_password_from(&user, &("ns".into(), "s".into())));
        assert!(!takes_password_from(&user, &("other".into(), "s".into())));
        let role = |name: &str, cluster: &str| -> EtcdRole {
            object(head(
                "EtcdRole",
                "r",
                json!({"clusterRef": {"name": cluster}, "roleName": name}),
            ))
        };
        assert!(has_role(&user, &role("app", "a")));
        assert!(!has_role(&user, &role("app", "b")) && !has_role(&user, &role("r", "a")));
    }

    #[test]
    fn a_cluster_leads_to_its_users_only_if_something_of_theirs_changed() {
        let (faces, key) = (Faces::default(), ("ns".to_owned(), "a".to_owned()));
        let mut cluster = crate::testing::cluster();
        assert!(faces.is_new(&key, &cluster));
        cluster.status = object(json!({"leader": "a-0"}));
        assert!(!faces.is_new(&key, &cluster));
        cluster.status = object(json!({"leader": "a-0", "authEnabled": true}));
        assert!(faces.is_new(&key, &cluster));
    }
}
