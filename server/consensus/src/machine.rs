//! openraft's view of the state: entries go to the apply thread, snapshots are positions of the store.

use std::io;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{OptionalSend, RaftSnapshotBuilder};
use tokio::sync::mpsc;

use crate::apply::{Entries, Job, gone};
use crate::failure::Failure;
use crate::log::entry_bytes;
use crate::membership;
use crate::recorder::Recorder;
use crate::state::{Look, State};
use crate::storage::from_raft;
use crate::types::{LogId, RaftSnapshot, SnapshotData, SnapshotMeta, StoredMembership, TypeConfig, log_id};

/// Entries in one job, and in one store batch.
pub const JOB_ENTRIES_MAX: usize = 512;
pub const JOB_BYTES_MAX: usize = 4 << 20;
/// Jobs waiting for the apply thread. Their entries are in the memory of the log as well.
pub const JOBS_MAX: usize = 256;

pub(crate) struct StateMachine {
    pub state: Arc<dyn State>,
    pub jobs: mpsc::Sender<Job>,
    pub failure: Failure,
    pub recorder: Arc<dyn Recorder>,
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = SnapshotData;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        let Look {
            position, membership, ..
        } = self.state.look();
        Ok((
            log_id(position),
            membership::stored(membership).map_err(io::Error::other)?,
        ))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<TypeConfig>>> + Unpin + OptionalSend,
    {
        if let Some(why) = self.failure.get() {
            return Err(io::Error::other(why));
        }
        let (mut job, mut bytes) = (Entries::default(), 0);
        while let Some(next) = entries.next().await {
            let (entry, responder) = next?;
            let entry = from_raft(entry)?;
            bytes += entry_bytes(&entry);
            job.entries.push(entry);
            job.responders.push(responder);
            if job.entries.len() >= JOB_ENTRIES_MAX || bytes >= JOB_BYTES_MAX {
                self.send(Job::Entries(std::mem::take(&mut job))).await?;
                bytes = 0;
            }
        }
        // Nobody waits here until it is applied: commits that come meanwhile could not share a store batch with it.
        // So openraft counts entries as applied that are only on their way; who needs to know asks `Shared`.
        if job.entries.is_empty() {
            Ok(())
        } else {
            self.send(Job::Entries(job)).await
        }
    }

    async fn try_create_snapshot_builder(&mut self, _force: bool) -> Option<Builder> {
        Some(self.get_snapshot_builder().await)
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        let Self {
            state,
            failure,
            recorder,
            ..
        } = self;
        Builder {
            state: state.clone(),
            failure: failure.clone(),
            recorder: recorder.clone(),
        }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: SnapshotData) -> io::Result<()> {
        let SnapshotData::Received(state) = snapshot else {
            return Err(io::Error::other("only what another member has sent is installed"));
        };
        tracing::info!(position = ?meta.last_log_id, "installing a raft snapshot");
        let (job, installed) = Job::install(state);
        self.send(job).await?;
        installed.await.unwrap_or_else(|_| Err(gone()))
    }

    /// The state itself is the snapshot: a view costs nothing until somebody reads it.
    async fn get_current_snapshot(&mut self) -> io::Result<Option<RaftSnapshot>> {
        let look = self.state.look();
        if look.position.index == 0 {
            Ok(None)
        } else {
            snapshot(look).map(Some)
        }
    }
}

impl StateMachine {
    async fn send(&self, job: Job) -> io::Result<()> {
        self.jobs.send(job).await.map_err(|_| gone())
    }
}

/// Builds a raft snapshot: makes the state durable, so that the log behind it can go.
pub(crate) struct Builder {
    state: Arc<dyn State>,
    failure: Failure,
    recorder: Arc<dyn Recorder>,
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    type SnapshotData = SnapshotData;

    async fn build_snapshot(&mut self) -> io::Result<RaftSnapshot> {
        let Self {
            state,
            failure,
            recorder,
        } = self;
        let look = persist(state.clone(), recorder.clone()).await.inspect_err(|error| {
            failure.set(format!("the state could not be made durable: {error}"));
        })?;
        snapshot(look)
    }
}

/// Returns a look that is durable: taken before the fsync, so never ahead of it.
pub(crate) async fn persist(state: Arc<dyn State>, recorder: Arc<dyn Recorder>) -> io::Result<Look> {
    let work = move || {
        let start = std::time::Instant::now();
        let look = state.look();
        let durable = state.persist().map_err(|error| io::Error::other(error.to_string()))?;
        recorder.snapshot(start.elapsed());
        if durable < look.position {
            return Err(io::Error::other(format!(
                "durable up to {}, applied up to {}",
                durable.index, look.position.index
            )));
        }
        Ok(look)
    };
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn snapshot(look: Look) -> io::Result<RaftSnapshot> {
    let Look {
        position,
        membership,
        pinned,
        ..
    } = look;
    let last_membership = membership::stored(membership).map_err(io::Error::other)?;
    let meta = SnapshotMeta {
        last_log_id: log_id(position),
        last_membership,
    };
    let snapshot = SnapshotData::Here(pinned);
    Ok(RaftSnapshot { meta, snapshot })
}
