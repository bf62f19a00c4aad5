//! Secrets that belong to a cluster. One that does not is never written.
//!
//! They are made by POST and changed by PUT of what was read: of two operators that act at once one is refused, and
//! no authority is ever laid over another. (A server-side apply cannot be told to make and not to overwrite.)

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, Resource};
use taffrail_crds::{CLUSTER, CLUSTER_UID, EtcdCluster, MANAGED_BY, MANAGER};

use crate::names::FIELD_MANAGER;
use crate::owner::is_owned_by;
use crate::problem::Problem;

pub type Data = BTreeMap<String, Vec<u8>>;

/// The Secrets of one cluster.
#[derive(Clone)]
pub struct Secrets {
    api: Api<Secret>,
    owner: Option<OwnerReference>,
    labels: BTreeMap<String, String>,
}

/// What there is under a name that a cluster's Secret should have.
pub enum Found {
    Absent,
    Ours(Box<Secret>),
    /// Somebody else's.
    Theirs(Problem),
}

impl Secrets {
    pub fn of(client: &Client, cluster: &EtcdCluster) -> Self {
        let meta = &cluster.metadata;
        Self {
            api: Api::namespaced(client.clone(), meta.namespace.as_deref().unwrap_or_default()),
            owner: cluster.controller_owner_ref(&()),
            labels: BTreeMap::from([
                (MANAGED_BY.into(), MANAGER.into()),
                (CLUSTER.into(), meta.name.clone().unwrap_or_default()),
                (CLUSTER_UID.into(), meta.uid.clone().unwrap_or_default()),
            ]),
        }
    }

    /// Any Secret, whoever it belongs to.
    ///
    /// # Errors
    /// If the API server does not answer or refuses.
    pub async fn read(&self, name: &str) -> Result<Option<Secret>, kube::Error> {
        self.api.get_opt(name).await
    }

    /// # Errors
    /// If the API server does not answer or refuses.
    pub async fn find(&self, name: &str) -> Result<Found, kube::Error> {
        Ok(match self.read(name).await? {
            None => Found::Absent,
            Some(secret) if self.owns(&secret.metadata) => Found::Ours(Box::new(secret)),
            Some(_) => Found::Theirs(not_ours("Secret", name)),
        })
    }

    /// Whether something of ours, by its metadata.
    pub fn owns(&self, meta: &ObjectMeta) -> bool {
        is_owned_by(meta, self.owner.as_ref().map(|owner| owner.uid.as_str()))
    }

    /// Makes the Secret hold exactly `data`; nothing is written if it does.
    ///
    /// # Errors
    /// If the API server does not answer or refuses; 409 if somebody else wrote in between.
    pub async fn keep(&self, name: &str, before: Option<&Secret>, data: Data) -> Result<(), kube::Error> {
        match before {
            Some(before) if data_of(before) == data => Ok(()),
            Some(before) => self.replace(name, before, data).await,
            None => self.create(name, data).await,
        }
    }

    async fn create(&self, name: &str, data: Data) -> Result<(), kube::Error> {
        let secret = Secret {
            metadata: self.metadata(name),
            data: Some(bytes(data)),
            type_: Some("Opaque".into()),
            ..Secret::default()
        };
        self.api.create(&post(), &secret).await.map(drop)
    }

    async fn replace(&self, name: &str, before: &Secret, data: Data) -> Result<(), kube::Error> {
        let mut secret = before.clone();
        secret.data = Some(bytes(data));
        let labels = secret.metadata.labels.get_or_insert_default();
        labels.extend(self.labels.clone());
        self.api.replace(name, &post(), &secret).await.map(drop)
    }

    /// Name, labels and owner of something that is made for this cluster.
    pub fn metadata(&self, name: &str) -> ObjectMeta {
        ObjectMeta {
            name: Some(name.into()),
            labels: Some(self.labels.clone()),
            owner_references: self.owner.clone().map(|owner| vec![owner]),
            ..ObjectMeta::default()
        }
    }
}

/// Something is in the way that belongs to somebody else.
pub fn not_ours(kind: &str, name: &str) -> Problem {
    Problem::new(
        "NameTaken",
        format!(
            "{kind} {name} exists and does not belong to this EtcdCluster; it is left as it is: \
             give it another name or remove it"
        ),
    )
}

pub fn data_of(secret: &Secret) -> Data {
    let data = secret.data.clone().unwrap_or_default();
    data.into_iter().map(|(key, value)| (key, value.0)).collect()
}

/// A value as text; none if it is absent, empty or no UTF-8.
pub fn text(secret: &Secret, key: &str) -> Option<String> {
    let value = secret.data.as_ref()?.get(key)?;
    String::from_utf8(value.0.clone()).ok().filter(|text| !text.is_empty())
}

fn bytes(data: Data) -> BTreeMap<String, ByteString> {
    data.into_iter().map(|(key, value)| (key, ByteString(value))).collect()
}

fn post() -> PostParams {
    PostParams {
        field_manager: Some(FIELD_MANAGER.into()),
        ..PostParams::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Shelf, cluster};

    fn data(value: &str) -> Data {
        Data::from([("k".to_owned(), value.into())])
    }

    #[tokio::test]
    async fn a_secret_that_is_not_ours_is_never_written() {
        let shelf = Shelf::default();
        let secrets = Secrets::of(&shelf.client(), &cluster());
        shelf.put_secret("a-server", &[("k", "theirs")]);
        assert!(matches!(secrets.find("a-server").await.unwrap(), Found::Theirs(_)));
        let refused = secrets.keep("a-server", None, data("ours")).await;
        assert!(matches!(refused, Err(kube::Error::Api(status)) if status.code == 409));
        assert_eq!(shelf.secret("a-server")["k"], "theirs");
    }

    #[tokio::test]
    async fn of_two_who_write_at_once_one_is_refused() {
        let shelf = Shelf::default();
        let secrets = Secrets::of(&shelf.client(), &cluster());
        secrets.keep("a-server", None, data("1")).await.unwrap();
        let Found::Ours(seen) = secrets.find("a-server").await.unwrap() else {
            panic!("ours")
        };
        secrets.keep("a-server", Some(&seen), data("2")).await.unwrap();
        let refused = secrets.keep("a-server", Some(&seen), data("3")).await;
        assert!(matches!(refused, Err(kube::Error::Api(status)) if status.code == 409));
        assert_eq!(shelf.secret("a-server")["k"], "2");
    }

    #[tokio::test]
    async fn what_is_already_so_is_not_written() {
        let shelf = Shelf::default();
        let secrets = Secrets::of(&shelf.client(), &cluster());
        secrets.keep("a-server", None, data("1")).await.unwrap();
        let Found::Ours(seen) = secrets.find("a-server").await.unwrap() else {
            panic!("ours")
        };
        let before = shelf.writes();
        secrets.keep("a-server", Some(&seen), data("1")).await.unwrap();
        assert_eq!(shelf.writes(), before);
    }
}
