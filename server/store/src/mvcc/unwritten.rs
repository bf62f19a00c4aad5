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

/// The next changes, in order.
#[derive(Default)]
pub(crate) struct Changes {
    /// Of those that superseded a version.
    pub(crate) rows: Vec<Row>,
    pub(crate) count: usize,
    pub(crate) last: Option<Revision>,
}

impl Changes {
    fn others(&self) -> usize {
        self.count.saturating_sub(self.rows.len())
    }

    /// Returns what the change counts for.
    fn push(&mut self, at: Revision, row: Option<Row>) -> usize {
        let bytes = generation::bytes(row.as_slice(), 1 - row.iter().len());
        self.rows.extend(row);
        self.count += 1;
        self.last = Some(at);
        bytes
    }
}

/// Adds changes to the generation, or writes both if they are too much for it. Returns the generation that goes with
/// the batch: views from before must keep the one they have.
pub(crate) fn add_history(
    engine: &Engine,
    batch: &mut OwnedWriteBatch,
    generation: &Arc<Generation>,
    changes: Changes,
) -> Arc<Generation> {
    let others = changes.others();
    if generation.bytes() + generation::bytes(&changes.rows, others) < engine.unwritten_history_bytes {
        generation.add(changes.rows, others);
        return generation.clone();
    }
    if let Some(last) = changes.last {
        batch.insert(&engine.system, &complete::KEY[..], &complete::value(last)[..]);
    }
    for row in generation.sorted_with(changes.rows) {
        let key = history::key(&row.key, row.superseding);
        batch.insert(&engine.history, key, &history::value(row.mod_revision)[..]);
    }
    Arc::default()
}

/// What `history` lacks, worked out from `log`. Rows at or below the floor are of no use. What is too much for one
/// generation is written.
pub(crate) fn unwritten(engine: &Engine, snapshot: &Snapshot, floor: i64) -> Result<Generation, StoreFailure> {
    let (mut changes, mut bytes) = (Changes::default(), 0);
    let from = first_lacking(engine, snapshot, floor)?;
    for stored in Rows::new(snapshot.range(&engine.log, (from, Bound::Unbounded))) {
        let (key, value) = stored?;
        let at = revision::parse(&key)?;
        bytes += changes.push(at, row(at, &log::Row::parse(value)?));
        if bytes >= engine.unwritten_history_bytes {
            write(engine, std::mem::take(&mut changes))?;
            bytes = 0;
        }
    }
    let generation = Generation::default();
    let others = changes.others();
    generation.add(changes.rows, others);
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

fn write(engine: &Engine, changes: Changes) -> Result<(), StoreFailure> {
    let batch = OwnedWriteBatch::with_capacity(engine.database.clone(), changes.rows.len() + 1);
    let mut batch = batch.durability(Some(PersistMode::Buffer));
    add_history(engine, &mut batch, &Arc::default(), changes);
    Ok(batch.commit()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Content, Entry, Options, Position, Store};
    use prost::Message;
    use taffrail_proto::etcdserverpb::{InternalRaftRequest, PutRequest};

    fn put(n: u64) -> Entry {
        let put = PutRequest {
            key: n.to_be_bytes().to_vec().into(),
            ..PutRequest::default()
        };
        let request = InternalRaftRequest {
            put: Some(put),
            ..InternalRaftRequest::default()
        };
        Entry {
            position: Position { term: 1, index: n },
            content: Content::Request(request.encode_to_vec().into()),
        }
    }

    #[test]
    fn keys_that_were_never_overwritten_are_not_walked_over_at_each_open() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            unwritten_history_bytes: 1000,
            ..Options::default()
        };
        let (store, mut applier) = Store::open(dir.path(), &options).unwrap();
        for n in 1..=100 {
            applier.apply(&[put(n)]).unwrap();
        }
        let pinned = store.shared().newest();
        let Bound::Excluded(upto) = first_lacking(&pinned.engine, &pinned.snapshot, -1).unwrap() else {
            panic!("nothing is marked as complete");
        };
        assert!(revision::parse(&upto).unwrap().main > 60);
    }
}
