//! The only way anything is written: changes gather in memory, laid over what is committed, until one engine batch
//! takes them all together with the position in the log that they reach.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use fjall::{OwnedWriteBatch, PersistMode, Readable};
use taffrail_proto::mvccpb::event::EventType;
use taffrail_proto::mvccpb::{Event, KeyValue};

use super::counts::CHUNK_KEYS_MAX;
use super::generation::{self, Generation};
use super::overlay::{Merged, Overlay, Row, Rows};
use super::recent::Recent;
use super::unwritten::add_history;
use super::{Current, Revision};
use crate::schema::log::{self, Kind};
use crate::schema::record::{Parts, Record};
use crate::schema::{attachment, chunk, lease, revision, state};
use crate::state::State;
use crate::store::Shared;
use crate::view::Pinned;
use crate::{Lease, StoreFailure};

/// What a stored version costs beside its key and record, in logical bytes: its row in the log.
const VERSION_OVERHEAD_BYTES: u64 = 32;

/// One main revision in the making. It comes to be only if something changes.
pub(crate) struct Change {
    main: i64,
    sub: u32,
    pub(crate) events: Vec<Event>,
}

impl Change {
    /// The revision that a reader inside the change sees.
    pub(crate) fn revision(&self) -> i64 {
        if self.sub == 0 { self.main - 1 } else { self.main }
    }

    /// The revision that a put of this change gets.
    pub(crate) fn main(&self) -> i64 {
        self.main
    }

    fn next(&mut self) -> Revision {
        let revision = Revision {
            main: self.main,
            sub: self.sub,
        };
        self.sub += 1;
        revision
    }
}

/// How a version from a snapshot is taken over.
pub(crate) struct Loading {
    pub(crate) below_floor: bool,
    /// 0 if its lease is not known.
    pub(crate) attached_to: i64,
}

/// A row of `log` as it will be stored.
struct Logged {
    at: Revision,
    bytes_so_far: u64,
    value: Vec<u8>,
}

/// Decided but not committed.
struct Pending {
    state: State,
    current: Overlay,
    system: Overlay,
    log: Vec<Logged>,
    history: Vec<generation::Row>,
    /// First keys of chunks that changed, came or went.
    chunks: BTreeSet<Bytes>,
}

impl Pending {
    /// `rows` is how many changes are likely to come.
    fn new(state: State, rows: usize) -> Self {
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

pub(crate) struct Writer {
    shared: Arc<Shared>,
    committed: Arc<Pinned>,
    recent: Recent,
    pending: Pending,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, recent_records_bytes: u64) -> Self {
        let committed = shared.newest();
        let pending = Pending::new(committed.state.clone(), 0);
        Self {
            shared,
            committed,
            recent: Recent::new(recent_records_bytes),
            pending,
        }
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
            engine: &self.shared.engine,
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

    /// Writes a new version over `previous`, which must be the key's newest.
    pub(crate) fn put(
        &mut self,
        change: &mut Change,
        key: &[u8],
        value: &[u8],
        lease: i64,
        previous: Option<Record>,
    ) -> Result<(), StoreFailure> {
        let revision = change.next();
        // Of its own: a slice would keep the whole received frame alive.
        let key = Bytes::copy_from_slice(key);
        let create_revision = previous.as_ref().map_or(revision.main, Record::create_revision);
        let version = previous.as_ref().map_or(0, Record::version) + 1;
        let record = Record::new(&Parts {
            create_revision,
            revision,
            version,
            lease,
            value,
        });
        self.write_version(revision, &key, record.clone(), previous.as_ref())?;
        let prev_kv = previous.map(|previous| previous.key_value(key.clone()));
        change.events.push(Event {
            r#type: EventType::Put as i32,
            kv: Some(record.key_value(key)),
            prev_kv,
        });
        Ok(())
    }

    fn write_version(
        &mut self,
        revision: Revision,
        key: &Bytes,
        record: Record,
        previous: Option<&Record>,
    ) -> Result<(), StoreFailure> {
        let lease = record.lease();
        self.replace(revision, Kind::Put, record.value_len() as u32, key, previous);
        self.store(key, record, previous, lease)
    }

    /// Takes over a version as it is. What lies below the floor leaves no event.
    pub(crate) fn load_version(
        &mut self,
        key: &Bytes,
        record: Record,
        previous: Option<&Record>,
        loading: &Loading,
    ) -> Result<(), StoreFailure> {
        if previous.is_some() || !loading.below_floor {
            self.replace(record.revision(), Kind::Put, record.value_len() as u32, key, previous);
        }
        self.store(key, record, previous, loading.attached_to)
    }

    fn store(
        &mut self,
        key: &Bytes,
        record: Record,
        previous: Option<&Record>,
        lease: i64,
    ) -> Result<(), StoreFailure> {
        self.pending.state.current_bytes += version_bytes(key, &record);
        self.pending.current.insert(key.clone(), Some(record.raw().clone()));
        self.recent.insert(key, record);
        self.attach(key, previous.map_or(0, Record::lease), lease);
        match previous {
            Some(_) => Ok(()),
            None => self.key_came(key),
        }
    }

    /// Deletes a key whose newest version is `previous`.
    pub(crate) fn delete(&mut self, change: &mut Change, key: Bytes, previous: &Record) {
        let revision = change.next();
        self.delete_at(revision, &key, Some(previous));
        change.events.push(Event {
            r#type: EventType::Delete as i32,
            kv: Some(KeyValue {
                key: key.clone(),
                mod_revision: revision.main,
                ..KeyValue::default()
            }),
            prev_kv: Some(previous.key_value(key)),
        });
    }

    /// Stores a tombstone with all that follows from it.
    pub(crate) fn delete_at(&mut self, revision: Revision, key: &Bytes, previous: Option<&Record>) {
        self.replace(revision, Kind::Delete, 0, key, previous);
        self.pending.current.insert(key.clone(), None);
        self.recent.remove(key);
        if let Some(previous) = previous {
            self.attach(key, previous.lease(), 0);
            self.key_went(key);
        }
    }

    /// Writes the log row, and moves the replaced version from live bytes to history.
    fn replace(&mut self, at: Revision, kind: Kind, value_bytes: u32, key: &Bytes, previous: Option<&Record>) {
        let state = &mut self.pending.state;
        if let Some(previous) = previous {
            state.current_bytes -= version_bytes(key, previous);
            state.log_bytes += version_bytes(key, previous);
            self.pending.history.push(generation::Row {
                key: key.clone(),
                superseding: at,
                mod_revision: previous.mod_revision(),
            });
        }
        if kind == Kind::Delete {
            state.log_bytes += key.len() as u64 + VERSION_OVERHEAD_BYTES;
        }
        let bytes_so_far = state.log_bytes;
        let row = log::Parts {
            kind,
            bytes_so_far,
            value_bytes,
            key,
            replaced: previous,
        };
        self.pending.log.push(Logged {
            at,
            bytes_so_far,
            value: row.value(),
        });
    }

    fn attach(&mut self, key: &[u8], from: i64, to: i64) {
        if from == to {
            return;
        }
        if from != 0 {
            self.set_system(attachment::key(from, key), None);
        }
        if to != 0 {
            self.set_system(attachment::key(to, key), Some(Bytes::new()));
        }
    }

    fn key_came(&mut self, key: &Bytes) -> Result<(), StoreFailure> {
        let counts = &mut self.pending.state.counts;
        let chunk = counts.chunk_of(key);
        let keys = counts.add(chunk);
        if !self.pending.chunks.contains(counts.first(chunk)) {
            self.pending.chunks.insert(counts.first(chunk).clone());
        }
        if keys > CHUNK_KEYS_MAX {
            self.split(chunk, key)
        } else {
            Ok(())
        }
    }

    /// Keys that come in order fill chunks to the brim and start new ones; others halve the full chunk.
    fn split(&mut self, chunk: usize, newest: &Bytes) -> Result<(), StoreFailure> {
        let keys = self.pending.state.counts.keys(chunk);
        let range = self.pending.state.counts.range_of(chunk);
        let mut rest = self
            .current()
            .keys(&super::KeyRange::from_to(newest.clone(), &range))
            .skip(1);
        let (first, left) = match rest.next().transpose()? {
            None => (newest.clone(), keys - 1),
            Some(_) => match self.current().keys(&range).nth(keys as usize / 2).transpose()? {
                Some(middle) => (middle, keys / 2),
                None => return Err(crate::schema::damaged("chunk", "fewer keys than counted")),
            },
        };
        let first = Bytes::copy_from_slice(&first);
        drop(rest);
        self.pending.chunks.insert(first.clone());
        self.pending.state.counts.split(chunk, first, left);
        Ok(())
    }

    fn key_went(&mut self, key: &Bytes) {
        let counts = &mut self.pending.state.counts;
        let chunk = counts.chunk_of(key);
        counts.sub(chunk);
        self.pending.chunks.insert(counts.first(chunk).clone());
        if let Some(joined) = counts.join_left(chunk) {
            self.pending.chunks.insert(counts.first(chunk - 1).clone());
            self.pending.chunks.insert(joined);
        }
    }

    pub(crate) fn set_system(&mut self, key: impl Into<Bytes>, value: Option<Bytes>) {
        self.pending.system.insert(key.into(), value);
    }

    pub(crate) fn lease(&self, id: i64) -> Result<Option<Lease>, StoreFailure> {
        let key = lease::key(id);
        let value = match self.pending.system.get(&key[..]) {
            Some(decided) => decided.clone(),
            None => self
                .committed
                .snapshot
                .get(&self.shared.engine.system, key)?
                .map(Bytes::from),
        };
        value.map(|value| lease::parse(&key, &value)).transpose()
    }

    /// Rows of `system` whose key starts so.
    pub(crate) fn system_rows(&self, prefix: &[u8]) -> impl Iterator<Item = Row> {
        let bounds = fjall::util::prefix_to_range(prefix);
        let bounds = (bounds.0.map(Bytes::from), bounds.1.map(Bytes::from));
        let below = Rows::new(
            self.committed
                .snapshot
                .range(&self.shared.engine.system, bounds.clone()),
        );
        Merged::new(below, &self.pending.system, bounds)
    }

    /// Logical bytes of history up to and including main revision `main`.
    pub(crate) fn log_bytes_at(&self, main: i64) -> Result<u64, StoreFailure> {
        let pending = self.pending.log.partition_point(|row| row.at.main <= main);
        if let Some(last) = pending.checked_sub(1) {
            return Ok(self.pending.log[last].bytes_so_far);
        }
        let after = revision::first_of(main + 1);
        let last = self
            .committed
            .snapshot
            .range(&self.shared.engine.log, ..after)
            .next_back();
        let last = last.map(|guard| log::Row::parse(guard.value()?.into())).transpose()?;
        // The rows below the floor may be gone, but what they amounted to is known.
        Ok(last
            .map_or(0, |row| row.bytes_so_far)
            .max(self.pending.state.floor_bytes))
    }

    pub(crate) fn pending_rows(&self) -> usize {
        self.pending.current.len()
    }

    /// Hands everything pending to the engine in one batch and publishes the new state.
    pub(crate) fn commit(&mut self) -> Result<(), StoreFailure> {
        let next = Pending::new(self.pending.state.clone(), self.pending.log.len());
        let pending = std::mem::replace(&mut self.pending, next);
        let (state, generation) = self.write_batch(pending)?;
        self.committed = self.shared.publish(state, generation);
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
        let engine = &self.shared.engine;
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
        for Logged { at, value, .. } in log {
            batch.insert(&engine.log, &revision::key(at)[..], value);
        }
        let generation = add_history(engine, &mut batch, &self.committed.generation, history);
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

fn version_bytes(key: &[u8], record: &Record) -> u64 {
    (key.len() + record.raw().len()) as u64 + VERSION_OVERHEAD_BYTES
}
