//! Rows of `current`: each with sane numbers, made by the change that `log` has at its revision, attached to its lease;
//! all together as many and as large as is stored.

use fjall::Readable;

use super::CheckReport;
use crate::mvcc::{Rows, version_bytes};
use crate::pinned::Pinned;
use crate::schema::log::{Kind, Row};
use crate::schema::record::Record;
use crate::schema::{attachment, chunk, revision};
use crate::{StoreFailure, View};

const CURRENT: &str = "current";

pub(super) fn check(pinned: &Pinned, view: &View, report: &mut CheckReport) -> Result<(), StoreFailure> {
    let (mut bytes, mut chunk, mut chunk_keys) = (0, 0, 0);
    for row in Rows::new(pinned.snapshot.iter(&pinned.engine.current)) {
        let (key, raw) = row?;
        report.keys += 1;
        let of = pinned.state.counts.chunk_of(&key);
        if of != chunk {
            compare_chunk(pinned, chunk, chunk_keys, report);
            (chunk, chunk_keys) = (of, 0);
        }
        chunk_keys += 1;
        match Record::parse(raw) {
            Ok(record) => {
                bytes += version_bytes(&key, &record);
                compare(pinned, view, &key, &record, report)?;
            }
            Err(why) => report.damage(CURRENT, &key, why.to_string()),
        }
    }
    compare_chunk(pinned, chunk, chunk_keys, report);
    compare_totals(pinned, bytes, report);
    Ok(())
}

fn compare(
    pinned: &Pinned,
    view: &View,
    key: &[u8],
    record: &Record,
    report: &mut CheckReport,
) -> Result<(), StoreFailure> {
    let (created, made) = (record.create_revision(), record.revision());
    if created < 1 || created > made.main || made.main > pinned.state.revision || record.version() < 1 {
        let why = format!(
            "created at {created}, changed at {}, version {}, while the store is at revision {}",
            made.main,
            record.version(),
            pinned.state.revision
        );
        report.damage(CURRENT, key, why);
    } else if made.main >= pinned.state.floor.max(0) && !is_logged(pinned, key, record)? {
        report.damage(
            CURRENT,
            key,
            format!("the log has no change of this key at revision {}", made.main),
        );
    }
    let lease = record.lease();
    if lease != 0 && view.lease(lease)?.is_some() {
        let row = attachment::key(lease, key);
        if !pinned.snapshot.contains_key(&pinned.engine.system, row)? {
            report.damage(CURRENT, key, format!("it is not attached to its lease {lease:x}"));
        }
    }
    Ok(())
}

fn is_logged(pinned: &Pinned, key: &[u8], record: &Record) -> Result<bool, StoreFailure> {
    let row = pinned
        .snapshot
        .get(&pinned.engine.log, revision::key(record.revision()))?;
    let row = row.map(|raw| Row::parse(raw.into())).transpose();
    Ok(matches!(row, Ok(Some(row)) if row.kind == Kind::Put && row.key == key
        && row.value_bytes as usize == record.value_len()))
}

fn compare_chunk(pinned: &Pinned, chunk: usize, keys: u32, report: &mut CheckReport) {
    let counts = &pinned.state.counts;
    if counts.keys(chunk) != keys {
        let why = format!("{keys} keys where {} are counted", counts.keys(chunk));
        report.damage("system", &chunk::key(counts.first(chunk)), why);
    }
}

fn compare_totals(pinned: &Pinned, bytes: u64, report: &mut CheckReport) {
    let state = &pinned.state;
    if state.current_bytes != bytes {
        let why = format!("{bytes} bytes of keys where {} are counted", state.current_bytes);
        report.damage("system", &crate::schema::state::KEY, why);
    }
    if state.counts.total() != report.keys {
        let why = format!("{} keys where {} are counted", report.keys, state.counts.total());
        report.damage("system", &crate::schema::state::KEY, why);
    }
}
