//! What is done to Jobs. Every act can be repeated.

use k8s_openapi::api::batch::v1::Job;
use kube::api::{Api, DeleteParams, PostParams, Preconditions};
use kube::{Client, Resource, ResourceExt};

use crate::cluster::Error;
use crate::names::FIELD_MANAGER;
use crate::owner::is_owned_by;

/// The Jobs of one namespace.
pub struct Jobs(Api<Job>);

impl Jobs {
    pub fn of(client: &Client, namespace: &str) -> Self {
        Self(Api::namespaced(client.clone(), namespace))
    }

    /// Of two operators that make it at once one is told that it is there.
    ///
    /// # Errors
    /// What the API server said; [`Error::Foreign`] if a Job of that name is another's.
    pub async fn make<K: Resource>(&self, owner: &K, job: &Job) -> Result<(), Error> {
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.into()),
            ..PostParams::default()
        };
        match self.0.create(&params, job).await {
            Err(kube::Error::Api(status)) if status.code == 409 => self.there(owner, job.name_any()).await,
            other => Ok(other.map(drop)?),
        }
    }

    async fn there<K: Resource>(&self, owner: &K, name: String) -> Result<(), Error> {
        let ours = |one: &Job| is_owned_by(one.meta(), owner.meta().uid.as_deref());
        match self.0.get_opt(&name).await? {
            Some(one) if !ours(&one) => Err(Error::Foreign { kind: "Job", name }),
            _ => Ok(()),
        }
    }

    /// Jobs by name and UID, and their pods.
    ///
    /// # Errors
    /// What the API server said; one that has gone is no error.
    pub async fn stop(&self, all: &[(String, String)]) -> Result<(), Error> {
        for (name, uid) in all {
            let params = DeleteParams {
                preconditions: Some(Preconditions {
                    uid: Some(uid.clone()),
                    resource_version: None,
                }),
                ..DeleteParams::background()
            };
            match self.0.delete(name, &params).await {
                Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => {}
                other => drop(other?),
            }
        }
        Ok(())
    }
}
