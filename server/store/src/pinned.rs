//! A committed state, and the engine it is read from.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use fjall::{Readable, Snapshot};

use crate::StoreFailure;
use crate::engine::Engine;
use crate::mvcc::{Current, Generation, unwritten};
use crate::schema::{cleaned, damaged};
use crate::state::State;

/// The engine's snapshot and what is known of it belong to the same batch.
pub(crate) struct Pinned {
    pub(crate) snapshot: Snapshot,
    pub(crate) state: State,
    /// What the snapshot's `history` lacks; it may know more than the snapshot.
    pub(crate) generation: Arc<Generation>,
    /// Of its own: a store that came from another member takes the place of this one while it is still read.
    pub(crate) engine: Arc<Engine>,
}

impl Pinned {
    /// The state in which the engine was left.
    pub(crate) fn read(engine: Engine) -> Result<Self, StoreFailure> {
        let snapshot = engine.database.snapshot();
        let state = read_state(&engine, &snapshot)?;
        let cleaned = snapshot.get(&engine.system, cleaned::KEY)?;
        let cleaned_bytes = cleaned.map_or(Ok(0), |value| cleaned::parse(&value))?;
        engine.cleaned_bytes.store(cleaned_bytes, Ordering::Release);
        let generation = Arc::new(unwritten(&engine, &snapshot, state.floor)?);
        Ok(Self {
            // Rows may have been written meanwhile.
            snapshot: engine.database.snapshot(),
            state,
            generation,
            engine: Arc::new(engine),
        })
    }

    pub(crate) fn current(&self) -> Current<'_> {
        let Self {
            snapshot,
            state,
            generation,
            engine,
        } = self;
        Current {
            engine,
            snapshot,
            overlay: None,
            recent: None,
            counts: &state.counts,
            revision: state.revision,
            generation,
        }
    }
}

pub(crate) fn read_state(engine: &Engine, snapshot: &Snapshot) -> Result<State, StoreFailure> {
    match State::read(engine, snapshot)? {
        Some(state) => Ok(state),
        None if snapshot.first_key_value(&engine.current).is_some() => Err(damaged("state", "missing beside data")),
        None => Ok(State::fresh()),
    }
}
