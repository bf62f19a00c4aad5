//! The only way anything is written: changes gather in memory, laid over what is committed, until one engine batch
//! takes them all together with the position in the log that they reach.

mod change;
mod commit;
mod counting;
mod system;
mod versions;

use std::sync::Arc;

use taffrail_proto::mvccpb::Event;

pub(crate) use change::Change;
pub(crate) use versions::{Loading, delete_bytes, version_bytes};

use super::Current;
use super::recent::Recent;
use crate::StoreFailure;
use crate::pinned::Pinned;
use crate::schema::record::Record;
use crate::state::State;
use crate::store::Shared;
use commit::Pending;

pub(crate) struct Writer {
    shared: Arc<Shared>,
    committed: Arc<Pinned>,
    recent: Recent,
    pending: Pending,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let committed = shared.newest();
        let pending = Pending::new(committed.state.clone(), 0);
        let recent = Recent::new(shared.options().recent_records_bytes);
        Self {
            shared,
            committed,
            recent,
            pending,
        }
    }

    /// Over what the store holds by now, with nothing at hand.
    pub(crate) fn anew(&self) -> Self {
        Self::new(self.shared.clone())
    }

    pub(crate) fn state(&self) -> &State {
        &self.pending.state
    }

    pub(crate) fn state_mut(&mut self) -> &mut State {
        &mut self.pending.state
    }

    /// What is committed, without what is pending.
    pub(crate) fn committed(&self) -> &Pinned {
        &self.committed
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(crate) fn current(&self) -> Current<'_> {
        Current {
            engine: &self.committed.engine,
            snapshot: &self.committed.snapshot,
            overlay: Some(&self.pending.current),
            recent: Some(&self.recent),
            counts: &self.pending.state.counts,
            revision: self.committed.state.revision,
            generation: &self.committed.generation,
        }
    }

    pub(crate) fn begin(&self) -> Change {
        Change {
            main: self.pending.state.revision + 1,
            sub: 0,
            events: Vec::new(),
        }
    }

    /// Makes the change's revision the newest one, if anything changed.
    pub(crate) fn finish(&mut self, change: Change) -> Vec<Event> {
        self.pending.state.revision = change.revision();
        change.events
    }

    pub(crate) fn record(&self, key: &[u8]) -> Result<Option<Record>, StoreFailure> {
        self.current().get(key)
    }

    pub(crate) fn pending_rows(&self) -> usize {
        self.pending.current.len()
    }
}
