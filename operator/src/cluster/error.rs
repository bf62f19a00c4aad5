//! Why a step could not be taken. Whatever it was, the next look begins anew.

use super::auth::AuthError;
use super::certificates::CertificatesError;
use crate::etcd::EtcdError;
use crate::problem::Problem;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("Kubernetes: {0}")]
    Kubernetes(#[from] kube::Error),
    #[error("etcd: {0}")]
    Etcd(#[from] EtcdError),
    #[error(transparent)]
    Certificates(#[from] CertificatesError),
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error("{kind} {name} is there already and not this cluster's: rename or remove it")]
    Foreign { kind: &'static str, name: String },
    #[error("{0} was there a moment ago and has gone")]
    Gone(String),
    #[error("the operator does not know its own image, which copies the survivor's data: set --operator-image")]
    NoOperatorImage,
}

impl Error {
    /// For metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Kubernetes(kube::Error::Api(status)) if status.code == 409 => "conflict",
            Self::Kubernetes(_) => "kubernetes",
            Self::Etcd(_) => "etcd",
            Self::Certificates(_) => "certificates",
            Self::Auth(_) => "auth",
            Self::Foreign { .. } => "foreign",
            Self::Gone(_) => "gone",
            Self::NoOperatorImage => "operator_image",
        }
    }

    /// What a person has to see, for it does not pass by itself: a quota, an admission rule, a missing permission.
    pub fn refusal(&self) -> Option<Problem> {
        let refused = match self {
            Self::Kubernetes(kube::Error::Api(status)) => {
                (400..500).contains(&status.code) && ![404, 409, 429].contains(&status.code)
            }
            Self::Foreign { .. } | Self::NoOperatorImage => true,
            _ => false,
        };
        refused.then(|| Problem::new("StepRefused", self.to_string()))
    }

    /// Somebody else changed it first: nothing is wrong.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Kubernetes(kube::Error::Api(status)) if status.code == 409)
    }
}
