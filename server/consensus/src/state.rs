//! The replicated state as this room needs it: a thing that applies, and a thing to look at.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use taffrail_store::{Applied, Applier, Entry, Incoming, Position, Received, Store, StoreFailure, View};

/// Hears of every applied batch, on the apply thread, after it is committed and before anyone is answered.
pub trait Listener: Send + Sync + 'static {
    fn applied(&self, batch: &[Applied], view: &View);
    /// One entry was evaluated.
    fn evaluated(&self, _entry: &Entry, _applied: &Applied, _took: Duration) {}
    /// A batch of evaluated entries was handed to the engine.
    fn committed(&self, _took: Duration) {}
    /// The state was replaced by that of another member, which is further.
    fn installed(&self, view: &View);
}

/// The replicated state and who hears of its changes.
pub struct Machine {
    pub store: Store,
    pub applier: Applier,
    pub listener: Arc<dyn Listener>,
    /// The id by which the proposer of an encoded request knows it.
    pub identify: fn(&[u8]) -> Option<u64>,
}

/// The pieces of a state on its way to another member.
pub(crate) type Chunks = Box<dyn Iterator<Item = Result<Bytes, StoreFailure>> + Send>;
/// A state at one position, to be read when it is sent.
pub(crate) type Pinned = Box<dyn FnOnce() -> Chunks + Send + Sync>;

/// A state on its way from another member.
pub(crate) trait Receiving: Send {
    fn write(&mut self, chunk: &[u8]) -> Result<(), String>;
    /// Verifies that it is whole and makes it durable, beside the one in use.
    fn finish(self: Box<Self>) -> Result<Finished, String>;
}

/// A state that is ready to take the place of the one in use.
pub(crate) struct Finished {
    pub position: Position,
    pub membership: Option<(Position, Bytes)>,
    /// For [`Apply::install`].
    pub state: Box<dyn Any + Send>,
}

/// The only writer of the state; lives on the apply thread.
pub(crate) trait Apply: Send + 'static {
    /// Commits the entries and tells the listener.
    fn apply(&mut self, entries: &[Entry]) -> Result<Vec<Applied>, StoreFailure>;
    /// Replaces the state and tells the listener. Returns what is now applied.
    fn install(&mut self, state: Box<dyn Any + Send>) -> Result<Look, StoreFailure>;
}

/// Reads of the state, from anywhere.
pub(crate) trait State: Send + Sync + 'static {
    fn look(&self) -> Look;
    /// Blocks until everything applied so far is durable.
    fn persist(&self) -> Result<Position, StoreFailure>;
    fn receive(&self) -> Result<Box<dyn Receiving>, StoreFailure>;
    /// What the state knows of the data a member became a member with; 0 if nothing.
    fn incarnation(&self, member_id: u64) -> u64;
}

/// The state at one position.
pub(crate) struct Look {
    pub position: Position,
    pub membership: Option<(Position, Bytes)>,
    /// Where this state came from another member as a whole.
    pub installed: Option<Position>,
    pub pinned: Option<Pinned>,
}

impl State for Store {
    fn look(&self) -> Look {
        look(self.view())
    }

    fn persist(&self) -> Result<Position, StoreFailure> {
        Store::persist(self)
    }

    fn receive(&self) -> Result<Box<dyn Receiving>, StoreFailure> {
        Ok(Box::new(Store::receive(self)?))
    }

    fn incarnation(&self, member_id: u64) -> u64 {
        self.view()
            .member_attributes(member_id)
            .map_or(0, |attributes| attributes.incarnation)
    }
}

fn look(view: View) -> Look {
    Look {
        position: view.position(),
        membership: view.consensus_membership(),
        installed: view.installed(),
        pinned: Some(Box::new(move || Box::new(view.export()))),
    }
}

impl Receiving for Incoming {
    fn write(&mut self, chunk: &[u8]) -> Result<(), String> {
        Incoming::write(self, chunk).map_err(|error| error.to_string())
    }

    fn finish(self: Box<Self>) -> Result<Finished, String> {
        let received = Incoming::finish(*self).map_err(|error| error.to_string())?;
        Ok(Finished {
            position: received.position(),
            membership: received.membership(),
            state: Box::new(received),
        })
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
        let mut last = Instant::now();
        let mut lap = || {
            let now = Instant::now();
            now.duration_since(std::mem::replace(&mut last, now))
        };
        let batch = self.applier.apply_watched(entries, &mut |entry, applied| {
            self.listener.evaluated(entry, applied, lap());
        })?;
        self.listener.committed(lap());
        self.listener.applied(&batch, &self.store.view());
        Ok(batch)
    }

    fn install(&mut self, state: Box<dyn Any + Send>) -> Result<Look, StoreFailure> {
        let received = state
            .downcast::<Received>()
            .map_err(|_| StoreFailure::Damaged("what is to be installed is no state".into()))?;
        self.applier.install(*received)?;
        let view = self.store.view();
        self.listener.installed(&view);
        Ok(look(view))
    }
}

impl Machine {
    pub(crate) fn split(self) -> (Box<dyn Apply>, Arc<dyn State>) {
        let Machine {
            store,
            applier,
            listener,
            identify: _,
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
