//! openraft's own tests of a storage, on this log and a state that keeps what openraft asks for.

use std::io;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use openraft::StorageError;
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::{OptionalSend, RaftSnapshotBuilder};

use super::super::Log;
use super::super::memory_disk::MemoryDisk;
use crate::failure::Failure;
use crate::storage::LogStorage;
use crate::types::{LogId, RaftSnapshot, SnapshotData, SnapshotMeta, StoredMembership, TypeConfig};

/// The least that is a state machine: where it is, and who is a member.
#[derive(Clone, Default)]
struct Positions {
    applied: Option<LogId>,
    membership: StoredMembership,
    snapshot: Option<SnapshotMeta>,
}

impl RaftStateMachine<TypeConfig> for Positions {
    type SnapshotData = SnapshotData;
    type SnapshotBuilder = Positions;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<TypeConfig>>> + Unpin + OptionalSend,
    {
        while let Some(next) = entries.next().await {
            let (entry, _) = next?;
            self.applied = Some(entry.log_id);
            if let openraft::EntryPayload::Membership(membership) = entry.payload {
                self.membership = StoredMembership::new(Some(entry.log_id), membership);
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Positions {
        let last_membership = self.membership.clone();
        self.snapshot = Some(SnapshotMeta {
            last_log_id: self.applied,
            last_membership,
        });
        self.clone()
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, _snapshot: SnapshotData) -> io::Result<()> {
        let SnapshotMeta {
            last_log_id,
            last_membership,
        } = meta.clone();
        *self = Positions {
            applied: last_log_id,
            membership: last_membership,
            snapshot: Some(meta.clone()),
        };
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<RaftSnapshot>> {
        let found = self.snapshot.clone();
        Ok(found.map(|meta| RaftSnapshot {
            meta,
            snapshot: SnapshotData::Here(None),
        }))
    }
}

impl RaftSnapshotBuilder<TypeConfig> for Positions {
    type SnapshotData = SnapshotData;

    async fn build_snapshot(&mut self) -> io::Result<RaftSnapshot> {
        self.get_current_snapshot()
            .await?
            .ok_or_else(|| io::Error::other("no snapshot"))
    }
}

struct Builder;

impl StoreBuilder<TypeConfig, LogStorage, Positions> for Builder {
    async fn build(&self) -> Result<((), LogStorage, Positions), StorageError<TypeConfig>> {
        let disk = Arc::new(MemoryDisk::default());
        let (log, writer) = Log::open(disk, super::options(), Failure::new()).unwrap();
        log.begin_anywhere();
        tokio::spawn(writer.run_as_task());
        Ok((
            (),
            LogStorage {
                log,
                shared: Default::default(),
            },
            Positions::default(),
        ))
    }
}

#[tokio::test(start_paused = true)]
async fn the_log_passes_openrafts_suite() {
    Suite::test_all(Builder).await.unwrap();
}
