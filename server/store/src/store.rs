//! A store as the member holds it: open, view, persist, clean.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use fjall::{AbstractTree, PersistMode};

use crate::apply::Applier;
use crate::engine::Engine;
use crate::home::Home;
use crate::mvcc::{Generation, Pages};
use crate::pinned::Pinned;
use crate::schema::{cleaned, format, revision};
use crate::state::State;
use crate::view::View;
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
    dir: PathBuf,
    options: Options,
    newest: ArcSwap<Pinned>,
    pages: Pages,
    /// How many states were about to come from other members.
    incoming: AtomicU64,
}

impl Shared {
    pub(crate) fn open(dir: &Path, options: &Options) -> Result<Self, OpenError> {
        std::fs::create_dir_all(dir).map_err(StoreFailure::from)?;
        let folder = format::check(dir)?;
        let home = Home::newest(dir).map_err(StoreFailure::from)?;
        let path = home.path();
        whole::check(&path, folder)?;
        let engine = Engine::open(home, options)?;
        whole::mark(&path)?;
        engine.home.sweep_others().map_err(StoreFailure::from)?;
        let pinned = Pinned::read(engine).map_err(|why| open_error(dir, why))?;
        Ok(Self {
            dir: dir.to_path_buf(),
            options: options.clone(),
            newest: ArcSwap::from_pointee(pinned),
            pages: Pages::default(),
            incoming: AtomicU64::new(0),
        })
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A folder for a state that is to come.
    pub(crate) fn incoming(&self) -> Home {
        Home::incoming(&self.dir, self.incoming.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn newest(&self) -> Arc<Pinned> {
        self.newest.load_full()
    }

    /// Makes what was just committed visible. Only the applier commits states, so the snapshot fits the state.
    pub(crate) fn publish(&self, engine: &Arc<Engine>, state: State, generation: Arc<Generation>) -> Arc<Pinned> {
        let floor_moved = self.newest.load().state.floor != state.floor;
        if floor_moved {
            self.pages.forget(state.floor, state.revision);
        }
        let pinned = Arc::new(Pinned {
            snapshot: engine.database.snapshot(),
            state,
            generation,
            engine: engine.clone(),
        });
        self.newest.store(pinned.clone());
        pinned
    }

    /// Makes a state visible that came whole. The one before it goes with its last reader.
    pub(crate) fn replace(&self, pinned: Pinned) {
        let before = self.newest.swap(Arc::new(pinned));
        before.engine.home.leave();
        self.pages.clear();
    }

    pub(crate) fn page_at(&self, revision: i64) -> Option<Arc<Pinned>> {
        self.pages.at(revision)
    }

    /// Not if another store has taken its place: a page must not keep the old one alive.
    pub(crate) fn remember_page(&self, page: &Arc<Pinned>) {
        let is_live = || Arc::ptr_eq(&self.newest.load().engine, &page.engine);
        self.pages.remember(page, is_live);
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
        let applier = Applier::new(shared.clone());
        Ok((Store { shared }, applier))
    }

    /// The newest committed state. Cheap.
    pub fn view(&self) -> View {
        View::new(self.shared.newest(), self.shared.clone())
    }

    /// Makes everything applied so far durable; blocks for an fsync. Returns the position that is now durable.
    pub fn persist(&self) -> Result<Position, StoreFailure> {
        let pinned = self.shared.newest();
        pinned.engine.database.persist(PersistMode::SyncAll)?;
        Ok(pinned.state.position)
    }

    /// Drops physically what the compaction floor allows; blocks. Returns the logical bytes let go. Doing it again
    /// does no harm: a member does it at start, in case a crash cut it short.
    pub fn clean(&self) -> Result<u64, StoreFailure> {
        let pinned = self.shared.newest();
        let (engine, floor, floor_bytes) = (pinned.engine.clone(), pinned.state.floor, pinned.state.floor_bytes);
        // What is pinned could not be dropped.
        drop(pinned);
        if floor < 0 {
            return Ok(0);
        }
        // Had the floor been lost in a crash, reads above the older floor would find holes.
        engine.database.persist(PersistMode::SyncAll)?;
        engine.allow_dropping(floor);
        drop_below(&engine, floor)?;
        let before = engine.cleaned_bytes.swap(floor_bytes, Ordering::AcqRel);
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

    /// Gives back everything that can be given back, by writing anew what is left; blocks for as long as that takes, and
    /// needs room for it. `progress` hears what is being written.
    pub fn defragment(&self, progress: &mut dyn FnMut(&str)) -> Result<(), StoreFailure> {
        progress("compacted history");
        self.clean()?;
        let engine = self.shared.newest().engine.clone();
        let keyspaces = [
            ("the log of changes", &engine.log),
            ("old versions", &engine.history),
            ("keys", &engine.current),
            ("leases, users, counts", &engine.system),
        ];
        for (what, keyspace) in keyspaces {
            progress(what);
            keyspace.rotate_memtable_and_wait()?;
            keyspace.major_compact()?;
        }
        Ok(engine.database.persist(PersistMode::SyncAll)?)
    }

    /// [`Sizes::total_bytes`] alone, which asks no disk: every write is measured against it.
    pub fn total_bytes(&self) -> u64 {
        total_bytes(&self.shared.newest())
    }

    pub fn sizes(&self) -> Sizes {
        let pinned = self.shared.newest();
        let state = &pinned.state;
        Sizes {
            total_bytes: total_bytes(&pinned),
            in_use_bytes: state.in_use_bytes(),
            disk_bytes: pinned.engine.disk_bytes().unwrap_or_default(),
            keys: state.counts.total(),
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

fn total_bytes(pinned: &Pinned) -> u64 {
    let state = &pinned.state;
    let cleaned_bytes = pinned.engine.cleaned_bytes.load(Ordering::Acquire);
    state.current_bytes + state.log_bytes - cleaned_bytes.min(state.log_bytes)
}

/// `log` is never merged, so whole tables go; `history` is merged, so its filter sees every row.
fn drop_below(engine: &Engine, floor: i64) -> Result<(), StoreFailure> {
    engine.log.rotate_memtable_and_wait()?;
    engine
        .log
        .tree
        .drop_range(..revision::first_of(floor))
        .map_err(fjall::Error::from)?;
    engine.history.rotate_memtable_and_wait()?;
    Ok(engine.history.major_compact()?)
}
