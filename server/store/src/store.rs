//! A store as the member holds it: open, view, persist, clean.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use fjall::{AbstractTree, PersistMode, Readable};

use crate::apply::Applier;
use crate::engine::Engine;
use crate::mvcc::{Current, Generation, Pages, unwritten};
use crate::schema::{cleaned, damaged, format, revision};
use crate::state::State;
use crate::view::{Pinned, View};
use crate::whole;
use crate::{OpenError, Position, StoreFailure};

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Block cache, shared by all keyspaces.
    pub cache_bytes: u64,
    /// Memtable of the keyspaces that take values.
    pub memtable_bytes: u64,
    /// Previous records kept at hand by the applier.
    pub recent_records_bytes: u64,
    /// Rows of history kept in memory until they are written together; at open they are worked out from the log.
    pub unwritten_history_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 64 << 20,
            memtable_bytes: 32 << 20,
            recent_records_bytes: 64 << 20,
            unwritten_history_bytes: 2 << 20,
        }
    }
}

/// Bytes and counts of what is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Logical bytes of live keys, kept history, and history below the floor that is not yet dropped.
    pub total_bytes: u64,
    /// Logical bytes of live keys and of the history that the floor keeps. The same on every member.
    pub in_use_bytes: u64,
    /// Bytes on disk as the engine counts them.
    pub disk_bytes: u64,
    pub keys: u64,
}

/// What applier, store and views have in common.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) pages: Pages,
    newest: ArcSwap<Pinned>,
    cleaned_bytes: AtomicU64,
}

impl Shared {
    pub(crate) fn open(dir: &Path, options: &Options) -> Result<Self, OpenError> {
        std::fs::create_dir_all(dir).map_err(StoreFailure::from)?;
        format::check(dir)?;
        whole::check(dir)?;
        let engine = Engine::open(dir, options)?;
        whole::mark(dir)?;
        Self::read(engine).map_err(|why| open_error(dir, why))
    }

    fn read(engine: Engine) -> Result<Self, StoreFailure> {
        let snapshot = engine.database.snapshot();
        let state = match State::read(&engine, &snapshot)? {
            Some(state) => state,
            None if snapshot.first_key_value(&engine.current).is_some() => {
                return Err(damaged("state", "missing beside data"));
            }
            None => State::fresh(),
        };
        let cleaned = snapshot.get(&engine.system, cleaned::KEY)?;
        let cleaned_bytes = cleaned.map_or(Ok(0), |value| cleaned::parse(&value))?;
        let generation = Arc::new(unwritten(&engine, &snapshot, state.floor)?);
        let pinned = Pinned {
            // Rows may have been written meanwhile.
            snapshot: engine.database.snapshot(),
            state,
            generation,
        };
        Ok(Self {
            engine,
            pages: Pages::default(),
            newest: ArcSwap::from_pointee(pinned),
            cleaned_bytes: AtomicU64::new(cleaned_bytes),
        })
    }

    pub(crate) fn newest(&self) -> Arc<Pinned> {
        self.newest.load_full()
    }

    /// Makes what was just committed visible. Only the applier commits states, so the snapshot fits the state.
    pub(crate) fn publish(&self, state: State, generation: Arc<Generation>) -> Arc<Pinned> {
        let floor_moved = self.newest.load().state.floor != state.floor;
        if floor_moved {
            self.pages.forget(state.floor, state.revision);
        }
        let pinned = Arc::new(Pinned {
            snapshot: self.engine.database.snapshot(),
            state,
            generation,
        });
        self.newest.store(pinned.clone());
        pinned
    }

    pub(crate) fn current<'a>(&'a self, pinned: &'a Pinned) -> Current<'a> {
        let Pinned {
            snapshot,
            state,
            generation,
        } = pinned;
        Current {
            engine: &self.engine,
            snapshot,
            overlay: None,
            recent: None,
            counts: &state.counts,
            revision: state.revision,
            generation,
        }
    }
}

fn open_error(dir: &Path, why: StoreFailure) -> OpenError {
    match why {
        StoreFailure::Damaged(why) => OpenError::Damaged {
            dir: dir.to_path_buf(),
            why,
        },
        why => why.into(),
    }
}

/// A handle; clones are the same store.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

impl Store {
    /// Opens the store in `dir`, creating it when the folder is empty or absent. There is one applier to a store.
    pub fn open(dir: &Path, options: &Options) -> Result<(Store, Applier), OpenError> {
        let shared = Arc::new(Shared::open(dir, options)?);
        let applier = Applier::new(shared.clone(), options.recent_records_bytes);
        Ok((Store { shared }, applier))
    }

    /// The newest committed state. Cheap.
    pub fn view(&self) -> View {
        View::new(self.shared.newest(), self.shared.clone())
    }

    /// Makes everything applied so far durable; blocks for an fsync. Returns the position that is now durable.
    pub fn persist(&self) -> Result<Position, StoreFailure> {
        let position = self.shared.newest().state.position;
        self.shared.engine.database.persist(PersistMode::SyncAll)?;
        Ok(position)
    }

    /// Drops physically what the compaction floor allows; blocks. Returns the logical bytes let go. Doing it again
    /// does no harm: a member does it at start, in case a crash cut it short.
    pub fn clean(&self) -> Result<u64, StoreFailure> {
        let pinned = self.shared.newest();
        let (floor, floor_bytes) = (pinned.state.floor, pinned.state.floor_bytes);
        drop(pinned);
        if floor < 0 {
            return Ok(0);
        }
        let engine = &self.shared.engine;
        // Had the floor been lost in a crash, reads above the older floor would find holes.
        engine.database.persist(PersistMode::SyncAll)?;
        engine.allow_dropping(floor);
        self.drop_below(floor)?;
        let before = self.shared.cleaned_bytes.swap(floor_bytes, Ordering::AcqRel);
        if before != floor_bytes {
            engine
                .system
                .insert(&cleaned::KEY[..], &cleaned::value(floor_bytes)[..])?;
        }
        // Old tables and journals are let go at the next rotation.
        for keyspace in [&engine.current, &engine.system] {
            keyspace.rotate_memtable_and_wait()?;
        }
        Ok(floor_bytes.saturating_sub(before))
    }

    /// `log` is never merged, so whole tables go; `history` is merged, so its filter sees every row.
    fn drop_below(&self, floor: i64) -> Result<(), StoreFailure> {
        let engine = &self.shared.engine;
        engine.log.rotate_memtable_and_wait()?;
        engine
            .log
            .tree
            .drop_range(..revision::first_of(floor))
            .map_err(fjall::Error::from)?;
        engine.history.rotate_memtable_and_wait()?;
        Ok(engine.history.major_compact()?)
    }

    /// [`Sizes::total_bytes`] alone, which asks no disk: every write is measured against it.
    pub fn total_bytes(&self) -> u64 {
        let state = &self.shared.newest().state;
        let cleaned_bytes = self.shared.cleaned_bytes.load(Ordering::Acquire);
        state.current_bytes + state.log_bytes - cleaned_bytes.min(state.log_bytes)
    }

    pub fn sizes(&self) -> Sizes {
        let pinned = self.shared.newest();
        let state = &pinned.state;
        Sizes {
            total_bytes: self.total_bytes(),
            in_use_bytes: state.in_use_bytes(),
            disk_bytes: self.shared.engine.disk_bytes().unwrap_or_default(),
            keys: state.counts.total(),
        }
    }
}
