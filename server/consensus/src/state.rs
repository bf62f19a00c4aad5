//! The replicated state as this room needs it: a thing that applies, and a thing to look at.

use std::sync::Arc;

use bytes::Bytes;
use taffrail_store::{Applied, Applier, Entry, Position, Store, StoreFailure, View};

/// Hears of every applied batch, on the apply thread, after it is committed and before anyone is answered.
pub trait Listener: Send + Sync + 'static {
    fn applied(&self, batch: &[Applied], view: &View);
}

/// The replicated state and who hears of its changes.
pub struct Machine {
    pub store: Store,
    pub applier: Applier,
    pub listener: Arc<dyn Listener>,
}

/// The only writer of the state; lives on the apply thread.
pub(crate) trait Apply: Send + 'static {
    /// Commits the entries and tells the listener.
    fn apply(&mut self, entries: &[Entry]) -> Result<Vec<Applied>, StoreFailure>;
}

/// Reads of the state, from anywhere.
pub(crate) trait State: Send + Sync + 'static {
    fn look(&self) -> Look;
    /// Blocks until everything applied so far is durable.
    fn persist(&self) -> Result<Position, StoreFailure>;
}

/// The state at one position.
pub(crate) struct Look {
    pub position: Position,
    pub membership: Option<(Position, Bytes)>,
    pub view: Option<View>,
}

impl State for Store {
    fn look(&self) -> Look {
        let view = self.view();
        Look {
            position: view.position(),
            membership: view.consensus_membership(),
            view: Some(view),
        }
    }

    fn persist(&self) -> Result<Position, StoreFailure> {
        Store::persist(self)
    }
}

/// A store with its listener.
pub(crate) struct StoreApply {
    store: Store,
    applier: Applier,
    listener: Arc<dyn Listener>,
}

impl Apply for StoreApply {
    fn apply(&mut self, entries: &[Entry]) -> Result<Vec<Applied>, StoreFailure> {
        let batch = self.applier.apply(entries)?;
        self.listener.applied(&batch, &self.store.view());
        Ok(batch)
    }
}

impl Machine {
    pub(crate) fn split(self) -> (Box<dyn Apply>, Arc<dyn State>) {
        let Machine {
            store,
            applier,
            listener,
        } = self;
        let state = Arc::new(store.clone());
        (
            Box::new(StoreApply {
                store,
                applier,
                listener,
            }),
            state,
        )
    }
}
