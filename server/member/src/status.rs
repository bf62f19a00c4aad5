//! How a member is doing, for `Maintenance.Status`, health checks and metrics.

use std::time::Instant;

use taffrail_consensus::{Progress, Proposals};
use taffrail_proto::etcdserverpb::AlarmMember;
use taffrail_proto::membershippb::DowngradeInfoSetRequest;
use taffrail_store::{HashKv, RangeError, Sizes, StoreFailure};

use crate::{Histogram, Member, ReadError};

#[derive(Debug, Clone)]
pub struct Status {
    pub revision: i64,
    pub compact_revision: i64,
    pub leader: Option<u64>,
    pub progress: Progress,
    pub sizes: Sizes,
    pub is_learner: bool,
    pub alarms: Vec<AlarmMember>,
    pub cluster_version: Option<String>,
    pub downgrade: DowngradeInfoSetRequest,
}

impl Member {
    pub fn status(&self) -> Status {
        let view = self.view();
        Status {
            revision: view.revision(),
            compact_revision: view.compacted(),
            leader: self.leader(),
            progress: self.progress(),
            sizes: self.0.store.sizes(),
            is_learner: self.is_learner(),
            alarms: view.alarms(),
            cluster_version: view.cluster_version(),
            downgrade: view.downgrade_info().unwrap_or_default(),
        }
    }

    /// How this member's own proposals fared.
    pub fn proposals(&self) -> Proposals {
        self.0.node.proposals()
    }

    /// For how long a write to the raft log has been under way.
    pub fn disk_stalled_for(&self) -> std::time::Duration {
        self.0.node.stalled_for()
    }

    pub fn progress(&self) -> Progress {
        self.0.node.progress()
    }

    /// etcd's hash of the key space; reads everything, so it leaves the async workers.
    pub async fn hash_kv(&self, revision: i64) -> Result<(i64, HashKv), ReadError> {
        let view = self.view();
        let current = view.revision();
        let hash = self
            .timed(&self.counters().upkeep.hash_kv_s, move || view.hash_kv(revision))
            .await?;
        Ok((current, hash?))
    }

    pub async fn hash(&self) -> Result<(i64, u32), ReadError> {
        let view = self.view();
        let current = view.revision();
        let hash = self.timed(&self.counters().upkeep.hash_s, move || view.hash()).await?;
        Ok((current, hash.map_err(RangeError::Failure)?))
    }

    async fn timed<T: Send + 'static>(
        &self,
        times: &Histogram,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ReadError> {
        let (_reading, started) = (self.counters().long_reads.enter(), Instant::now());
        let done = blocking(work).await;
        times.observe(started.elapsed().as_secs_f64());
        done
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ReadError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|lost| ReadError::from(StoreFailure::Io(std::io::Error::other(lost))))
}
