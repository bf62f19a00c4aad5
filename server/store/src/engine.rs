//! The storage engine as the store uses it: one database of four keyspaces.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use fjall::compaction::filter::{CompactionFilter, CompactionFilterResult, Context, Factory, ItemAccessor, Verdict};
use fjall::config::FilterPolicy;
use fjall::{Database, Keyspace, KeyspaceCreateOptions};

use crate::home::Home;
use crate::schema::{history, revision};
use crate::{OpenError, Options, StoreFailure};

/// The journal is read again at open, so it must not grow far beyond the memtables.
const JOURNAL_BYTES_MAX: u64 = 64 << 20;
const SMALL_MEMTABLE_BYTES: u64 = 8 << 20;
const WORKER_THREADS: usize = 2;
const HISTORY: &str = "history";
const LOG: &str = "log";

pub(crate) struct Engine {
    pub(crate) database: Database,
    pub(crate) current: Keyspace,
    pub(crate) log: Keyspace,
    pub(crate) history: Keyspace,
    pub(crate) system: Keyspace,
    /// Where large sorts put their runs.
    pub(crate) scratch: PathBuf,
    /// Rows of `history` not yet written may grow to so many bytes.
    pub(crate) unwritten_history_bytes: usize,
    /// How much of what lies below the floor is dropped, in logical bytes.
    pub(crate) cleaned_bytes: AtomicU64,
    droppable: Arc<AtomicI64>,
    /// Dropped last: it may take the folder with it.
    pub(crate) home: Home,
}

impl Engine {
    pub(crate) fn open(home: Home, options: &Options) -> Result<Self, OpenError> {
        let dir = home.path();
        Self::open_at(home, options).map_err(|why| open_error(&dir, why))
    }

    fn open_at(home: Home, options: &Options) -> Result<Self, fjall::Error> {
        let dir = home.path();
        let droppable = Arc::new(AtomicI64::new(i64::MIN));
        let database = Database::builder(dir.join("engine"))
            .cache_size(options.cache_bytes)
            .max_journaling_size(JOURNAL_BYTES_MAX)
            .worker_threads(WORKER_THREADS)
            .with_compaction_filter_factories(filters(droppable.clone()))
            .open()?;
        let memtable = |bytes: u64| move || KeyspaceCreateOptions::default().max_memtable_size(bytes);
        // Rows of these two are only looked for where they are known to be.
        let unfiltered = |bytes| move || memtable(bytes)().filter_policy(FilterPolicy::disabled());
        Ok(Self {
            current: database.keyspace("current", memtable(options.memtable_bytes))?,
            log: database.keyspace(LOG, unfiltered(options.memtable_bytes))?,
            history: database.keyspace(HISTORY, unfiltered(SMALL_MEMTABLE_BYTES))?,
            system: database.keyspace("system", memtable(SMALL_MEMTABLE_BYTES))?,
            database,
            scratch: dir.join("scratch"),
            unwritten_history_bytes: options.unwritten_history_bytes,
            cleaned_bytes: AtomicU64::new(0),
            droppable,
            home,
        })
    }

    /// Lets the files go, and leaves the folder as it is.
    pub(crate) fn close(self) -> Home {
        self.home
    }

    /// From now on, merging tables of `history` drops what was superseded at `floor` or before. The floor must be
    /// durable by then.
    pub(crate) fn allow_dropping(&self, floor: i64) {
        self.droppable.fetch_max(floor, Ordering::AcqRel);
    }

    pub(crate) fn disk_bytes(&self) -> Result<u64, StoreFailure> {
        Ok(self.database.disk_space()?)
    }
}

fn open_error(dir: &Path, why: fjall::Error) -> OpenError {
    let dir = dir.to_path_buf();
    match why {
        fjall::Error::Locked => OpenError::InUse { dir },
        fjall::Error::Io(why) => OpenError::Failure(why.into()),
        why => OpenError::Damaged {
            dir,
            why: why.to_string(),
        },
    }
}

type Filters = Arc<dyn Fn(&str) -> Option<Arc<dyn Factory>> + Send + Sync>;

fn filters(droppable: Arc<AtomicI64>) -> Filters {
    Arc::new(move |keyspace| match keyspace {
        HISTORY => Some(Arc::new(Superseded {
            droppable: droppable.clone(),
            is_droppable: |key, floor| matches!(history::split_key(key), Ok((_, at)) if at.main <= floor),
        })),
        // Only merged when somebody asks for it; else whole tables go.
        LOG => Some(Arc::new(Superseded {
            droppable: droppable.clone(),
            is_droppable: |key, floor| matches!(revision::parse(key), Ok(at) if at.main < floor),
        })),
        _ => None,
    })
}

type IsDroppable = fn(&[u8], i64) -> bool;

/// Drops rows that no read at or above the floor needs.
struct Superseded {
    droppable: Arc<AtomicI64>,
    is_droppable: IsDroppable,
}

impl Factory for Superseded {
    fn name(&self) -> &str {
        "superseded"
    }

    fn make_filter(&self, _: &Context) -> Box<dyn CompactionFilter> {
        Box::new(SupersededAt {
            floor: self.droppable.load(Ordering::Acquire),
            is_droppable: self.is_droppable,
        })
    }
}

struct SupersededAt {
    floor: i64,
    is_droppable: IsDroppable,
}

impl CompactionFilter for SupersededAt {
    /// Every row is written once, so it may go without leaving a tombstone.
    fn filter_item(&mut self, item: ItemAccessor<'_>, _: &Context) -> CompactionFilterResult {
        Ok(match (self.is_droppable)(item.key(), self.floor) {
            true => Verdict::Destroy,
            false => Verdict::Keep,
        })
    }
}
