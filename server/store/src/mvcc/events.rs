//! Events read back from the log, for watchers that are behind.
//!
//! A log row tells kind, key and the version replaced. The version written is the one that the key's next change
//! replaced, so it is in a later row of the same stretch, or in `current`, or found through `history`.

use std::collections::HashMap;

use bytes::Bytes;
use fjall::Readable;
use taffrail_proto::mvccpb::event::EventType;
use taffrail_proto::mvccpb::{Event, KeyValue};

use super::old::replaced_at;
use super::overlay::Rows;
use super::superseded::Superseded;
use super::{Current, KeyRange, Revision};
use crate::schema::log::{Kind, Row};
use crate::schema::record::Record;
use crate::schema::{damaged, revision};
use crate::{EventBatch, StoreFailure};

/// What an event costs beside its keys and values, roughly.
const EVENT_OVERHEAD_BYTES: usize = 64;
/// After so many rows the stretch ends, wanted or not, so that a call stays short.
const ROWS_MAX: usize = 50_000;

pub(crate) struct Wanted<'a> {
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) floor: i64,
    pub(crate) events_max: usize,
    pub(crate) bytes_max: usize,
    pub(crate) keys: &'a dyn Fn(&[u8]) -> bool,
}

/// Whole main revisions from `from` to at most `to`.
pub(crate) fn events(current: Current<'_>, wanted: &Wanted<'_>) -> Result<EventBatch, StoreFailure> {
    let (rows, next_revision) = read(current, wanted)?;
    let events = resolve(current, rows, wanted.floor)?;
    Ok(EventBatch { events, next_revision })
}

/// The rows of the stretch, and the revision after it.
fn read(current: Current<'_>, wanted: &Wanted<'_>) -> Result<(Vec<(Revision, Row)>, i64), StoreFailure> {
    let range = revision::first_of(wanted.from)..revision::first_of(wanted.to + 1);
    let (mut rows, mut bytes, mut last) = (Vec::new(), 0, None);
    for (walked, row) in Rows::new(current.snapshot.range(&current.engine.log, range)).enumerate() {
        let (key, value) = row?;
        let at = revision::parse(&key)?;
        let full = rows.len() >= wanted.events_max.max(1) || bytes >= wanted.bytes_max.max(1) || walked >= ROWS_MAX;
        if full && last.is_some_and(|last| last != at.main) {
            return Ok((rows, at.main));
        }
        last = Some(at.main);
        let row = Row::parse(value)?;
        if (wanted.keys)(&row.key) {
            bytes += event_bytes(&row);
            rows.push((at, row));
        }
    }
    Ok((rows, wanted.to.max(wanted.from - 1) + 1))
}

fn event_bytes(row: &Row) -> usize {
    let replaced = row
        .replaced
        .as_ref()
        .map_or(0, |record| row.key.len() + record.value_len());
    row.key.len() + row.value_bytes as usize + replaced + EVENT_OVERHEAD_BYTES
}

/// From the last row to the first, so that the version a row wrote is known from the next row of its key.
fn resolve(current: Current<'_>, rows: Vec<(Revision, Row)>, floor: i64) -> Result<Vec<Event>, StoreFailure> {
    let mut written: HashMap<Bytes, Record> = HashMap::new();
    let mut events = Vec::with_capacity(rows.len());
    for (at, row) in rows.into_iter().rev() {
        let later = written.remove(&row.key);
        let key = row.key.clone();
        events.push(event(current, at, &row, later, floor)?);
        if let Some(replaced) = row.replaced {
            written.insert(key, replaced);
        }
    }
    events.reverse();
    Ok(events)
}

fn event(
    current: Current<'_>,
    at: Revision,
    row: &Row,
    later: Option<Record>,
    floor: i64,
) -> Result<Event, StoreFailure> {
    let key = row.key.clone();
    let (kind, kv) = match row.kind {
        Kind::Delete => (
            EventType::Delete,
            KeyValue {
                key: key.clone(),
                mod_revision: at.main,
                ..KeyValue::default()
            },
        ),
        Kind::Put => (
            EventType::Put,
            version_written(current, at, &key, later)?.key_value(key.clone()),
        ),
    };
    // At the revision before the floor etcd finds nothing any more.
    let replaced = row.replaced.as_ref().filter(|_| at.main > floor);
    Ok(Event {
        r#type: kind as i32,
        kv: Some(kv),
        prev_kv: replaced.map(|record| record.key_value(key)),
    })
}

fn version_written(
    current: Current<'_>,
    at: Revision,
    key: &Bytes,
    later: Option<Record>,
) -> Result<Record, StoreFailure> {
    if let Some(record) = later.filter(|record| record.revision() == at) {
        return Ok(record);
    }
    if let Some(record) = current.get(key)?.filter(|record| record.revision() == at) {
        return Ok(record);
    }
    let ended = Superseded::new(current, &KeyRange::One(key.clone()), at.main)
        .next()
        .transpose()?;
    let ended = ended.ok_or_else(|| damaged("history", "a version is missing"))?;
    let record = replaced_at(current.engine, current.snapshot, ended.superseding)?;
    if record.revision() == at {
        Ok(record)
    } else {
        Err(damaged("history", "leads to another version"))
    }
}
