//! The way in, up to a state that is whole and durable and that nobody sees yet.

use bytes::Bytes;
use fjall::PersistMode;

use super::chunk::{Chunk, Progress, VERSION};
use super::part::Part;
use crate::engine::Engine;
use crate::home::{Home, sync_tree};
use crate::pinned::read_state;
use crate::schema::{cleaned, damaged, installed};
use crate::state::State;
use crate::{OpenError, Position, Store, StoreFailure, whole};

/// So much is gathered before the engine takes it as sorted tables, which costs a few fsyncs.
const PIECE_BYTES: usize = 32 << 20;
/// Two reference-counted slices.
const ROW_OVERHEAD_BYTES: usize = 64;
/// Nothing is read here but the state itself.
const CACHE_BYTES: u64 = 4 << 20;

/// Why a state was not taken. What came of it is gone; the store is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    #[error("the sender's version of the stream is {found}, this member reads {VERSION}")]
    Version { found: u32 },
    /// Cut short, out of order or changed on the way, or no state in the first place.
    #[error("the received state is not whole: {0}")]
    NotWhole(String),
    #[error(transparent)]
    Failure(StoreFailure),
}

impl From<StoreFailure> for ReceiveError {
    /// Bytes that are wrong were received so.
    fn from(why: StoreFailure) -> Self {
        match why {
            StoreFailure::Damaged(why) => Self::NotWhole(why),
            why => Self::Failure(why),
        }
    }
}

/// A state that is coming in. Dropped, it leaves nothing behind.
pub struct Incoming {
    engine: Engine,
    progress: Progress,
    stage: Stage,
    /// Rows not yet handed to the engine, all of one part.
    piece: Vec<(Bytes, Bytes)>,
    piece_bytes: usize,
    last_key: Bytes,
    rows: u64,
    keys: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    Rows(Part),
    Ended(Position),
    Refused,
}

/// A state that came whole and is durable beside the one in use. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub struct Received {
    pub(super) home: Home,
    position: Position,
    membership: Option<(Position, Bytes)>,
}

impl Received {
    pub fn position(&self) -> Position {
        self.position
    }

    /// The consensus layer's last membership record and where in the log it stood.
    pub fn membership(&self) -> Option<(Position, Bytes)> {
        self.membership.clone()
    }
}

impl Store {
    /// Room for a state from another member. Several may come at once.
    pub fn receive(&self) -> Result<Incoming, StoreFailure> {
        let home = self.shared().incoming();
        std::fs::create_dir(home.path())?;
        let mut options = self.shared().options().clone();
        options.cache_bytes = options.cache_bytes.min(CACHE_BYTES);
        let engine = Engine::open(home, &options).map_err(|why| match why {
            OpenError::Failure(why) => why,
            why => StoreFailure::Damaged(why.to_string()),
        })?;
        Ok(Incoming {
            engine,
            progress: Progress::default(),
            stage: Stage::Head,
            piece: Vec::new(),
            piece_bytes: 0,
            last_key: Bytes::new(),
            rows: 0,
            keys: 0,
        })
    }
}

impl Incoming {
    /// Takes the next chunk; blocks. After a refusal there is nothing but to drop this and ask again.
    pub fn write(&mut self, chunk: &[u8]) -> Result<(), ReceiveError> {
        let stage = std::mem::replace(&mut self.stage, Stage::Refused);
        let chunk = self.progress.parse(&Bytes::copy_from_slice(chunk))?;
        self.stage = self.take(stage, chunk)?;
        Ok(())
    }

    fn take(&mut self, stage: Stage, chunk: Chunk) -> Result<Stage, ReceiveError> {
        match (stage, chunk) {
            (Stage::Head, Chunk::Head { version: VERSION }) => Ok(Stage::Rows(Part::Current)),
            (Stage::Head, Chunk::Head { version: found }) => Err(ReceiveError::Version { found }),
            (Stage::Rows(part), Chunk::Rows { part: next, rows }) if next >= part => {
                if next > part {
                    self.flush(part)?;
                    self.last_key = Bytes::new();
                }
                self.rows(next, rows)?;
                Ok(Stage::Rows(next))
            }
            (Stage::Rows(part), Chunk::End { rows, position }) if rows == self.rows => {
                self.flush(part)?;
                Ok(Stage::Ended(position))
            }
            _ => Err(not_whole("a chunk is where it cannot be")),
        }
    }

    fn rows(&mut self, part: Part, rows: Vec<(Bytes, Bytes)>) -> Result<(), ReceiveError> {
        self.rows += rows.len() as u64;
        self.keys += if part == Part::Current { rows.len() as u64 } else { 0 };
        for (key, value) in rows {
            // The engine takes it for granted.
            if key <= self.last_key {
                return Err(not_whole("a row is out of order"));
            }
            self.last_key = key.clone();
            self.piece_bytes += key.len() + value.len() + ROW_OVERHEAD_BYTES;
            self.piece.push((key, value));
        }
        if self.piece_bytes >= PIECE_BYTES {
            self.flush(part)?;
        }
        Ok(())
    }

    fn flush(&mut self, part: Part) -> Result<(), StoreFailure> {
        self.piece_bytes = 0;
        if self.piece.is_empty() {
            return Ok(());
        }
        let mut tables = part.keyspace(&self.engine).start_ingestion()?;
        for (key, value) in self.piece.drain(..) {
            tables.write(key, value)?;
        }
        Ok(tables.finish()?)
    }

    /// Looks whether all of it is there, and makes it durable; blocks for fsyncs.
    pub fn finish(self) -> Result<Received, ReceiveError> {
        let Stage::Ended(position) = self.stage else {
            return Err(not_whole("its end is missing"));
        };
        let state = read_state(&self.engine, &self.engine.database.snapshot())?;
        if state.position != position || state.counts.total() != self.keys {
            return Err(not_whole("the rows do not fit together"));
        }
        mark(&self.engine, &state)?;
        let home = self.engine.close();
        whole::mark(&home.path())?;
        sync_tree(&home.path()).map_err(StoreFailure::from)?;
        Ok(Received {
            home,
            position,
            membership: state.facts.membership.clone(),
        })
    }
}

/// What is of this member alone: how it came here, and that nothing below the floor came with it.
fn mark(engine: &Engine, state: &State) -> Result<(), StoreFailure> {
    let system = &engine.system;
    system.insert(&installed::KEY[..], &installed::value(state.position)[..])?;
    if state.floor_bytes > 0 {
        system.insert(&cleaned::KEY[..], &cleaned::value(state.floor_bytes)[..])?;
    }
    Ok(engine.database.persist(PersistMode::SyncAll)?)
}

fn not_whole(why: &str) -> ReceiveError {
    damaged("stream", why).into()
}
