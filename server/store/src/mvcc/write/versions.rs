//! Versions of keys come, and are moved to history.

use bytes::Bytes;
use taffrail_proto::mvccpb::event::EventType;
use taffrail_proto::mvccpb::{Event, KeyValue};

use super::commit::Logged;
use super::{Change, Writer};
use crate::StoreFailure;
use crate::mvcc::{Revision, generation};
use crate::schema::attachment;
use crate::schema::log::{self, Kind};
use crate::schema::record::{Parts, Record};

/// What a stored version costs beside its key and record, in logical bytes: its row in the log.
const VERSION_OVERHEAD_BYTES: u64 = 32;

/// How a version from a snapshot is taken over.
pub(crate) struct Loading {
    pub(crate) below_floor: bool,
    /// 0 if its lease is not known.
    pub(crate) attached_to: i64,
}

impl Writer {
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
            state.log_bytes += delete_bytes(key);
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
}

/// What a tombstone counts for.
pub(crate) fn delete_bytes(key: &[u8]) -> u64 {
    key.len() as u64 + VERSION_OVERHEAD_BYTES
}

/// What a version counts for.
pub(crate) fn version_bytes(key: &[u8], record: &Record) -> u64 {
    (key.len() + record.raw().len()) as u64 + VERSION_OVERHEAD_BYTES
}
