//! How rows of `history` get there: a full generation at once, in key order, with the mark up to where it reaches.

use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use fjall::{OwnedWriteBatch, PersistMode, Readable, Snapshot};

use super::Revision;
use super::generation::{self, Generation, Row};
use super::overlay::Rows;
use crate::StoreFailure;
use crate::engine::Engine;
use crate::schema::{complete, history, log, revision};

/// Adds rows to the generation, or writes both if they are too much for it. Returns the generation that goes with
/// the batch: views from before must keep the one they have.
pub(crate) fn add_history(
    engine: &Engine,
    batch: &mut OwnedWriteBatch,
    generation: &Arc<Generation>,
    rows: Vec<Row>,
) -> Arc<Generation> {
    if generation.bytes() + generation::bytes(&rows) < engine.unwritten_history_bytes {
        generation.add(rows);
        return generation.clone();
    }
    let rows = generation.sorted_with(rows);
    if let Some(last) = rows.iter().map(|row| row.superseding).max() {
        batch.insert(&engine.system, &complete::KEY[..], &complete::value(last)[..]);
    }
    for row in rows {
        let key = history::key(&row.key, row.superseding);
        batch.insert(&engine.history, key, &history::value(row.mod_revision)[..]);
    }
    Arc::default()
}

/// What `history` lacks, worked out from `log`. Rows at or below the floor are of no use. What is too much for one
/// generation is written.
pub(crate) fn unwritten(engine: &Engine, snapshot: &Snapshot, floor: i64) -> Result<Generation, StoreFailure> {
    let (mut rows, mut bytes) = (Vec::new(), 0);
    let from = first_lacking(engine, snapshot, floor)?;
    for stored in Rows::new(snapshot.range(&engine.log, (from, Bound::Unbounded))) {
        let (key, value) = stored?;
        let Some(row) = row(revision::parse(&key)?, &log::Row::parse(value)?) else {
            continue;
        };
        bytes += generation::bytes(std::slice::from_ref(&row));
        rows.push(row);
        if bytes >= engine.unwritten_history_bytes {
            write(engine, std::mem::take(&mut rows))?;
            bytes = 0;
        }
    }
    let generation = Generation::default();
    generation.add(rows);
    Ok(generation)
}

fn first_lacking(
    engine: &Engine,
    snapshot: &Snapshot,
    floor: i64,
) -> Result<Bound<[u8; revision::BYTES]>, StoreFailure> {
    let upto = snapshot.get(&engine.system, complete::KEY)?;
    let upto = upto.map(|value| complete::parse(&value)).transpose()?;
    Ok(match upto {
        Some(upto) if upto.main > floor => Bound::Excluded(revision::key(upto)),
        _ => Bound::Included(revision::first_of(floor + 1)),
    })
}

fn row(superseding: Revision, stored: &log::Row) -> Option<Row> {
    let replaced = stored.replaced.as_ref()?;
    Some(Row {
        // Of its own: a slice would keep the engine's block alive.
        key: Bytes::copy_from_slice(&stored.key),
        superseding,
        mod_revision: replaced.mod_revision(),
    })
}

fn write(engine: &Engine, rows: Vec<Row>) -> Result<(), StoreFailure> {
    let batch = OwnedWriteBatch::with_capacity(engine.database.clone(), rows.len() + 1);
    let mut batch = batch.durability(Some(PersistMode::Buffer));
    add_history(engine, &mut batch, &Arc::default(), rows);
    Ok(batch.commit()?)
}
