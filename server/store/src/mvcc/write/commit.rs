//! What is decided, and how it gets to the engine.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use fjall::{OwnedWriteBatch, PersistMode};

use super::Writer;
use crate::StoreFailure;
use crate::mvcc::Revision;
use crate::mvcc::generation::{self, Generation};
use crate::mvcc::overlay::Overlay;
use crate::mvcc::unwritten::{Changes, add_history};
use crate::schema::{chunk, revision, state};
use crate::state::State;

/// A row of `log` as it will be stored.
pub(super) struct Logged {
    pub(super) at: Revision,
    pub(super) bytes_so_far: u64,
    pub(super) value: Vec<u8>,
}

/// Decided but not committed.
pub(super) struct Pending {
    pub(super) state: State,
    pub(super) current: Overlay,
    pub(super) system: Overlay,
    pub(super) log: Vec<Logged>,
    pub(super) history: Vec<generation::Row>,
    /// First keys of chunks that changed, came or went.
    pub(super) chunks: BTreeSet<Bytes>,
}

impl Pending {
    /// `rows` is how many changes are likely to come.
    pub(super) fn new(state: State, rows: usize) -> Self {
        Self {
            state,
            current: Overlay::new(),
            system: Overlay::new(),
            log: Vec::with_capacity(rows),
            history: Vec::with_capacity(rows),
            chunks: BTreeSet::new(),
        }
    }
}

impl Writer {
    /// Hands everything pending to the engine in one batch and publishes the new state.
    pub(crate) fn commit(&mut self) -> Result<(), StoreFailure> {
        let next = Pending::new(self.pending.state.clone(), self.pending.log.len());
        let pending = std::mem::replace(&mut self.pending, next);
        let (state, generation) = self.write_batch(pending)?;
        self.committed = self.shared.publish(&self.committed.engine, state, generation);
        Ok(())
    }

    fn write_batch(&self, pending: Pending) -> Result<(State, Arc<Generation>), StoreFailure> {
        let Pending {
            state,
            current,
            system,
            log,
            history,
            chunks,
        } = pending;
        let engine = &self.committed.engine;
        let rows = current.len() + system.len() + log.len() + chunks.len() + 1;
        let batch = OwnedWriteBatch::with_capacity(engine.database.clone(), rows);
        let mut batch = batch.durability(Some(PersistMode::Buffer));
        for (keyspace, overlay) in [(&engine.current, current), (&engine.system, system)] {
            for (key, value) in overlay {
                match value {
                    Some(value) => batch.insert(keyspace, key, value),
                    None => batch.remove(keyspace, key),
                }
            }
        }
        let changes = Changes {
            rows: history,
            count: log.len(),
            last: log.last().map(|row| row.at),
        };
        for Logged { at, value, .. } in log {
            batch.insert(&engine.log, &revision::key(at)[..], value);
        }
        let generation = add_history(engine, &mut batch, &self.committed.generation, changes);
        for first in chunks {
            match state.counts.at(&first) {
                Some(keys) => batch.insert(&engine.system, chunk::key(&first), &chunk::value(keys)[..]),
                None => batch.remove(&engine.system, chunk::key(&first)),
            }
        }
        batch.insert(&engine.system, &state::KEY[..], state.row().value());
        batch.commit()?;
        Ok((state, generation))
    }
}
