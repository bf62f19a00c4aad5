//! Everything that is kept, in the order in which it was written.
//!
//! Each version is stored exactly once: in `current` while it is its key's newest, else in the log row of the change
//! that replaced it. So one walk over either finds all of them, and sorting by revision puts them in order.

use fjall::{Readable, Snapshot};
use taffrail_proto::mvccpb::KeyValue;

use super::overlay::Rows;
use super::sorter::{Item, Sorted, Sorter};
use super::{Revision, StoredRevision};
use crate::StoreFailure;
use crate::engine::Engine;
use crate::schema::log::{Kind, Row};
use crate::schema::record::Record;
use crate::schema::revision;

/// What a compaction at `floor` leaves of the revisions up to `up_to`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    pub(crate) floor: i64,
    pub(crate) up_to: i64,
    /// Leave out versions of the floor that are no longer current at `up_to`.
    pub(crate) only_current_of_floor: bool,
}

impl Kept {
    fn keeps(&self, record: &Record, superseding: Option<Revision>) -> bool {
        let superseded = superseding.map_or(i64::MAX, |superseding| superseding.main);
        let made = record.mod_revision();
        let superseded_after = if self.only_current_of_floor {
            self.up_to
        } else {
            self.floor
        };
        made <= self.up_to && (made > self.floor || superseded > superseded_after)
    }

    fn keeps_tombstone(&self, at: Revision) -> bool {
        at.main >= self.floor && at.main <= self.up_to
    }
}

/// Versions and tombstones in revision order.
pub struct Revisions {
    sorted: Sorted,
}

impl Iterator for Revisions {
    type Item = Result<StoredRevision, StoreFailure>;

    fn next(&mut self) -> Option<Self::Item> {
        self.sorted.next().map(|item| item.map(stored))
    }
}

fn stored(item: Item) -> StoredRevision {
    let Item { revision, key, record } = item;
    let tombstone = record.is_none();
    let kv = match record {
        Some(record) => record.key_value(key),
        None => KeyValue {
            key,
            ..KeyValue::default()
        },
    };
    StoredRevision {
        revision,
        tombstone,
        kv,
    }
}

pub(crate) fn revisions(engine: &Engine, snapshot: &Snapshot, kept: Kept) -> Result<Revisions, StoreFailure> {
    let mut sorter = Sorter::new(&engine.scratch);
    for row in Rows::new(snapshot.iter(&engine.current)) {
        let (key, raw) = row?;
        let record = Record::parse(raw)?;
        if kept.keeps(&record, None) {
            sorter.push(Item {
                revision: record.revision(),
                key,
                record: Some(record),
            })?;
        }
    }
    let log = snapshot.range(&engine.log, revision::first_of(kept.floor)..);
    for row in Rows::new(log) {
        let (key, value) = row?;
        push_row(&mut sorter, kept, revision::parse(&key)?, Row::parse(value)?)?;
    }
    Ok(Revisions {
        sorted: sorter.sorted()?,
    })
}

/// Rows after `up_to` still hold versions from before it.
fn push_row(sorter: &mut Sorter, kept: Kept, at: Revision, row: Row) -> Result<(), StoreFailure> {
    if row.kind == Kind::Delete && kept.keeps_tombstone(at) {
        sorter.push(Item {
            revision: at,
            key: row.key.clone(),
            record: None,
        })?;
    }
    if let Some(record) = row.replaced.filter(|record| kept.keeps(record, Some(at))) {
        sorter.push(Item {
            revision: record.revision(),
            key: row.key,
            record: Some(record),
        })?;
    }
    Ok(())
}
