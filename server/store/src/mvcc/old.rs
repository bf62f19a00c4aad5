//! Reads at a revision that is not the newest.
//!
//! A key's version at revision R is the newest one if that is not younger than R; else it is the version that the
//! first change after R superseded, if that version was there at R. `history` finds that change, `log` holds the
//! version. Walking a range merges `current` with `history`, key by key.

use bytes::Bytes;
use fjall::{Readable, Snapshot};

use super::current::Keyed;
use super::overlay::Rows;
use super::superseded::{Superseded, SupersededKey};
use super::walk::Walk;
use super::{Current, KeyRange, Revision};
use crate::StoreFailure;
use crate::engine::Engine;
use crate::schema::log::{Kind, Row as LogRow};
use crate::schema::record::Record;
use crate::schema::{damaged, revision};

/// Counting by the log pays up to so many rows even if the range is short.
const COUNT_ROWS_MIN: u64 = 256;

/// Committed state at `revision`, which must be between the floor and the snapshot's newest revision.
#[derive(Clone, Copy)]
pub(crate) struct Old<'a> {
    pub(crate) current: Current<'a>,
    pub(crate) revision: i64,
}

impl<'a> Old<'a> {
    pub(crate) fn scan(&self, range: &KeyRange) -> Box<dyn Iterator<Item = Keyed> + 'a> {
        if let KeyRange::One(key) = range {
            let key = key.clone();
            let found = self.get(&key).transpose();
            return Box::new(
                found
                    .into_iter()
                    .map(move |record| record.map(|record| (key.clone(), record))),
            );
        }
        Box::new(Walk::new(self, range))
    }

    fn get(&self, key: &[u8]) -> Result<Option<Record>, StoreFailure> {
        match self.current.get(key)? {
            Some(record) if record.mod_revision() <= self.revision => Ok(Some(record)),
            _ => {
                let range = KeyRange::One(Bytes::copy_from_slice(key));
                match Superseded::new(self.current, &range, self.revision)
                    .next()
                    .transpose()?
                {
                    Some(old) => self.log().version_at(&old, self.revision),
                    None => Ok(None),
                }
            }
        }
    }

    /// Exact. `newest_count` counts the same range at the snapshot's newest revision.
    pub(crate) fn count(&self, range: &KeyRange, newest_count: u64) -> Result<u64, StoreFailure> {
        match self.count_by_log(range, newest_count)? {
            Some(count) => Ok(count),
            None => self.scan(range).try_fold(0, |keys, row| row.map(|_| keys + 1)),
        }
    }

    /// Takes back what came and went since; None if that is more work than walking the range.
    fn count_by_log(&self, range: &KeyRange, newest_count: u64) -> Result<Option<u64>, StoreFailure> {
        let rows_max = newest_count.max(COUNT_ROWS_MIN);
        let mut count = newest_count as i64;
        let since = revision::first_of(self.revision + 1);
        let rows = Rows::new(self.current.snapshot.range(&self.current.engine.log, since..));
        for (rows, row) in rows.enumerate() {
            if rows as u64 >= rows_max {
                return Ok(None);
            }
            let row = LogRow::parse(row?.1)?;
            count -= if range.contains(&row.key) { keys_gained(&row) } else { 0 };
        }
        Ok(Some(count.max(0) as u64))
    }

    pub(super) fn log(&self) -> Log<'a> {
        Log {
            engine: self.current.engine,
            snapshot: self.current.snapshot,
        }
    }
}

fn keys_gained(row: &LogRow) -> i64 {
    match (row.kind, &row.replaced) {
        (Kind::Put, None) => 1,
        (Kind::Delete, Some(_)) => -1,
        _ => 0,
    }
}

/// Looks replaced versions up.
#[derive(Clone, Copy)]
pub(super) struct Log<'a> {
    engine: &'a Engine,
    snapshot: &'a Snapshot,
}

impl Log<'_> {
    pub(super) fn version_at(&self, old: &SupersededKey, revision: i64) -> Result<Option<Record>, StoreFailure> {
        if old.mod_revision > revision {
            return Ok(None);
        }
        replaced_at(self.engine, self.snapshot, old.superseding).map(Some)
    }
}

/// The version that the change at this revision replaced; `history` says there is one.
pub(crate) fn replaced_at(engine: &Engine, snapshot: &Snapshot, at: Revision) -> Result<Record, StoreFailure> {
    let raw = snapshot
        .get(&engine.log, revision::key(at))?
        .ok_or_else(|| damaged("log", "a row is missing"))?;
    LogRow::parse(raw.into())?
        .replaced
        .ok_or_else(|| damaged("log row", "the replaced version is missing"))
}
