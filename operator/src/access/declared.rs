//! What EtcdUsers and EtcdRoles have in common.

use std::fmt::Debug;

use kube::core::NamespaceResourceScope;
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use taffrail_crds::{ADOPT, AccessStatus, DeletionPolicy, EtcdRole, EtcdUser, KeptAccess};

/// Of etcd, not of Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    User,
    Role,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Role => "role",
        }
    }
}

/// An EtcdUser or an EtcdRole.
pub trait Declared:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug + Send + Sync + 'static
{
    const KIND: Kind;
    /// The name in etcd, if it is not that of the object.
    fn given_name(&self) -> Option<&str>;
    fn cluster_name(&self) -> &str;
    fn policy(&self) -> DeletionPolicy;
    fn told(&self) -> Option<&AccessStatus>;

    fn name_in_etcd(&self) -> String {
        self.given_name().map_or_else(|| self.name_any(), str::to_owned)
    }

    fn is_alive(&self) -> bool {
        self.meta().deletion_timestamp.is_none()
    }

    /// As the record has it.
    fn entry(&self) -> KeptAccess {
        KeptAccess {
            name: self.name_in_etcd(),
            object: self.name_any(),
            uid: self.uid().unwrap_or_default(),
            deletion_policy: self.policy(),
        }
    }

    /// It may go on with what is in etcd already and nobody keeps: it was told to, or has kept it before.
    fn adopts(&self) -> bool {
        let annotated = self.annotations().get(ADOPT).is_some_and(|value| value == "true");
        annotated || self.told().is_some_and(|status| status.cluster_id.is_some())
    }
}

impl Declared for EtcdUser {
    const KIND: Kind = Kind::User;

    fn given_name(&self) -> Option<&str> {
        self.spec.user_name.as_deref()
    }

    fn cluster_name(&self) -> &str {
        &self.spec.cluster_ref.name
    }

    fn policy(&self) -> DeletionPolicy {
        self.spec.deletion_policy
    }

    fn told(&self) -> Option<&AccessStatus> {
        self.status.as_ref()
    }
}

impl Declared for EtcdRole {
    const KIND: Kind = Kind::Role;

    fn given_name(&self) -> Option<&str> {
        self.spec.role_name.as_deref()
    }

    fn cluster_name(&self) -> &str {
        &self.spec.cluster_ref.name
    }

    fn policy(&self) -> DeletionPolicy {
        self.spec.deletion_policy
    }

    fn told(&self) -> Option<&AccessStatus> {
        self.status.as_ref()
    }
}
