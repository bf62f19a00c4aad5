//! What stood in the way of the last step on each cluster, until a step is taken: status tells of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cluster::Error;
use crate::poller::Key;
use crate::problem::Problem;

/// At most one per cluster; forgotten with the cluster.
#[derive(Clone, Default)]
pub struct Refusals(Arc<Mutex<BTreeMap<Key, Problem>>>);

impl Refusals {
    /// A step was tried. What passes by itself is no refusal, and leaves none behind.
    pub fn note(&self, key: Key, failed: Option<&Error>) {
        match failed.and_then(Error::refusal) {
            Some(problem) => drop(self.all().insert(key, problem)),
            None => self.forget(&key),
        }
    }

    pub fn of(&self, key: &Key) -> Option<Problem> {
        self.all().get(key).cloned()
    }

    pub fn forget(&self, key: &Key) {
        self.all().remove(key);
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Key, Problem>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(code: u16, message: &str) -> Error {
        Error::Kubernetes(kube::Error::Api(Box::new(
            kube::core::Status::failure(message, "Forbidden").with_code(code),
        )))
    }

    #[test]
    fn a_refused_step_is_told_of_until_a_step_is_taken() {
        let (refusals, key) = (Refusals::default(), ("ns".to_owned(), "a".to_owned()));
        refusals.note(key.clone(), Some(&answered(403, "exceeded quota: few")));
        let told = refusals.of(&key).unwrap();
        assert!(told.reason == "StepRefused" && told.message.contains("exceeded quota"));
        refusals.note(key.clone(), None);
        assert_eq!(refusals.of(&key), None);
    }

    #[test]
    fn what_passes_by_itself_is_no_refusal() {
        for passing in [
            answered(409, ""),
            answered(429, ""),
            answered(500, ""),
            Error::Gone("it".into()),
        ] {
            assert_eq!(passing.refusal(), None, "{passing}");
        }
        assert!(Error::NoOperatorImage.refusal().is_some());
    }
}
