//! Why a command did not come to its end, and the exit code that says so.

use kube::core::Status;

/// One kind per exit code.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    Failed(String),
    #[error("{0}")]
    Wrong(String),
    #[error("{0}")]
    Missing(String),
    #[error("{0}")]
    Forbidden(String),
    #[error("{0}")]
    Unreachable(String),
    #[error("{0}")]
    TimeOver(String),
}

const NO_KINDS: &str = "this Kubernetes does not know Taffrail's kinds (etcd.taffrail.dev/v1alpha1): install the \
                        operator first, or look at --context";

impl Failure {
    pub fn code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Wrong(_) => 2,
            Self::Missing(_) => 3,
            Self::Forbidden(_) => 4,
            Self::Unreachable(_) => 5,
            Self::TimeOver(_) => 6,
        }
    }

    /// `doing` goes on from "cannot": `read the EtcdCluster demo`.
    pub fn of(error: kube::Error, doing: &str) -> Self {
        match error {
            kube::Error::Api(status) => Self::refused(&status, doing),
            other => Self::Unreachable(format!(
                "cannot {doing}: the API server does not answer: {}",
                chain(&other)
            )),
        }
    }

    fn refused(status: &Status, doing: &str) -> Self {
        let said = &status.message;
        match status.code {
            401 => Self::Forbidden(format!(
                "cannot {doing}: the API server does not know who you are: {said}"
            )),
            403 => Self::Forbidden(format!("no right to {doing}: {said}")),
            404 if is_of_no_object(status) => Self::Missing(NO_KINDS.into()),
            404 => Self::Missing(format!("cannot {doing}: {said}")),
            400 | 409 | 422 => Self::Wrong(format!("cannot {doing}: {said}")),
            _ => Self::Unreachable(format!("cannot {doing}: {said}")),
        }
    }
}

/// An API server that does not know a kind says nothing of a name.
fn is_of_no_object(status: &Status) -> bool {
    status.details.as_ref().is_none_or(|details| details.name.is_empty())
}

/// The whole chain: what is at its end is the cause.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
