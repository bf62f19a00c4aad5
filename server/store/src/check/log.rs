//! Rows of `log`: in order, their sums continuous up to what is stored; and each version that a change wrote is found
//! where it must be, by the way that watchers take.

use fjall::Readable;

use super::CheckReport;
use crate::mvcc::{Rows, delete_bytes, version_bytes};
use crate::pinned::Pinned;
use crate::schema::log::{Kind, Row};
use crate::schema::record::Record;
use crate::schema::{revision, state};
use crate::{EventsError, StoreFailure, View};

const LOG: &str = "log";
const EVENTS_AT_ONCE: usize = 10_000;
const BYTES_AT_ONCE: usize = 8 << 20;

pub(super) fn check(pinned: &Pinned, view: &View, report: &mut CheckReport) -> Result<(), StoreFailure> {
    sums(pinned, report)?;
    events(view, report);
    Ok(())
}

fn sums(pinned: &Pinned, report: &mut CheckReport) -> Result<(), StoreFailure> {
    let state = &pinned.state;
    let (mut before, mut floor_bytes) = (None, state.floor_bytes);
    for row in Rows::new(pinned.snapshot.iter(&pinned.engine.log)) {
        let (key, value) = row?;
        report.log_rows += 1;
        let at = revision::parse(&key);
        let (Ok(at), Ok(row)) = (at, Row::parse(value)) else {
            report.damage(LOG, &key, "the row cannot be parsed");
            before = None;
            continue;
        };
        if at.main > state.revision {
            report.damage(LOG, &key, format!("the store is at revision {}", state.revision));
        }
        if before.is_some_and(|before| before + bytes(&row) != row.bytes_so_far) {
            report.damage(LOG, &key, "its sum of bytes does not follow from the row before");
        }
        if row.kind == Kind::Delete && is_older_than(pinned, &row, at.main)? {
            report.damage(LOG, &key, "the key it deletes still has an older version");
        }
        before = Some(row.bytes_so_far);
        if at.main <= state.floor {
            floor_bytes = row.bytes_so_far;
        }
    }
    if before.is_some_and(|before| before != state.log_bytes) || floor_bytes != state.floor_bytes {
        report.damage(
            "system",
            &state::KEY,
            "the bytes of history are not those that the log sums up to",
        );
    }
    Ok(())
}

/// What a row adds to the sum.
fn bytes(row: &Row) -> u64 {
    let replaced = row
        .replaced
        .as_ref()
        .map_or(0, |record| version_bytes(&row.key, record));
    match row.kind {
        Kind::Put => replaced,
        Kind::Delete => replaced + delete_bytes(&row.key),
    }
}

fn is_older_than(pinned: &Pinned, row: &Row, deleted: i64) -> Result<bool, StoreFailure> {
    let stored = pinned.snapshot.get(&pinned.engine.current, &row.key)?;
    let record = stored.and_then(|raw| Record::parse(raw.into()).ok());
    Ok(record.is_some_and(|record| record.mod_revision() < deleted))
}

/// Reads every event that a watcher could ask for.
fn events(view: &View, report: &mut CheckReport) {
    let mut from = view.compacted().max(1);
    while from <= view.revision() {
        match view.events(from, EVENTS_AT_ONCE, BYTES_AT_ONCE, &|_| true) {
            Ok(batch) => from = batch.next_revision,
            Err(_) => from = one_by_one(view, from, report),
        }
    }
}

/// Finds the revision that cannot be read; returns the one after it.
fn one_by_one(view: &View, mut from: i64, report: &mut CheckReport) -> i64 {
    while from <= view.revision() {
        match view.events(from, 1, 1, &|_| true) {
            Ok(batch) => from = batch.next_revision,
            Err(EventsError::Compacted(_)) => from += 1,
            Err(EventsError::Failure(why)) => {
                report.damage(LOG, &revision::first_of(from), why.to_string());
                return from + 1;
            }
        }
    }
    from
}
