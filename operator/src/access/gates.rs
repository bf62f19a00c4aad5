//! Who removes goes alone: nothing is made in etcd for an object that is just being found to have gone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use crate::poller::Key;

/// One gate per cluster; those that nobody stands in are forgotten.
#[derive(Clone, Default)]
pub struct Gates(Arc<Mutex<BTreeMap<Key, Arc<RwLock<()>>>>>);

impl Gates {
    /// For those who make and change: many at a time.
    pub async fn enter(&self, key: &Key) -> OwnedRwLockReadGuard<()> {
        self.of(key).read_owned().await
    }

    /// For those who remove.
    pub async fn enter_alone(&self, key: &Key) -> OwnedRwLockWriteGuard<()> {
        self.of(key).write_owned().await
    }

    fn of(&self, key: &Key) -> Arc<RwLock<()>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|other, gate| other == key || Arc::strong_count(gate) > 1);
        all.entry(key.clone()).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_removes_waits_for_those_who_make_and_keeps_others_out_of_this_cluster_alone() {
        let (gates, key) = (Gates::default(), ("ns".to_owned(), "a".to_owned()));
        let making = (gates.enter(&key).await, gates.enter(&key).await);
        assert!(gates.of(&key).try_write_owned().is_err());
        drop(making);
        let _removing = gates.enter_alone(&key).await;
        assert!(gates.of(&key).try_read_owned().is_err());
        let _other = gates.enter(&("ns".to_owned(), "b".to_owned())).await;
        assert_eq!(gates.0.lock().unwrap().len(), 2);
    }
}
