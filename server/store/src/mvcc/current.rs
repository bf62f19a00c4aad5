//! The newest version of every key, seen by a reader or by a transaction half way through.

use bytes::Bytes;
use fjall::{Readable, Snapshot};

use super::generation::Generation;
use super::overlay::{Merged, Overlay, Row, Rows};
use super::recent::Recent;
use super::{Counts, KeyRange};
use crate::StoreFailure;
use crate::engine::Engine;
use crate::schema::record::Record;

#[derive(Clone, Copy)]
pub(crate) struct Current<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) snapshot: &'a Snapshot,
    /// What the batch at hand has decided; readers have none.
    pub(crate) overlay: Option<&'a Overlay>,
    /// Newest records, of what is pending too; readers have none.
    pub(crate) recent: Option<&'a Recent>,
    pub(crate) counts: &'a Counts,
    /// The snapshot's revision.
    pub(crate) revision: i64,
    /// What its `history` lacks.
    pub(crate) generation: &'a Generation,
}

pub(crate) type Keyed = Result<(Bytes, Record), StoreFailure>;

impl<'a> Current<'a> {
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Record>, StoreFailure> {
        if let Some(record) = self.recent.and_then(|recent| recent.get(key)) {
            return Ok(Some(record.clone()));
        }
        if let Some(decided) = self.overlay.and_then(|overlay| overlay.get(key)) {
            return decided.clone().map(Record::parse).transpose();
        }
        // No stored key is empty, and the engine takes none.
        if key.is_empty() {
            return Ok(None);
        }
        let stored = self.snapshot.get(&self.engine.current, key)?;
        stored.map(|raw| Record::parse(raw.into())).transpose()
    }

    /// In key order. One key is looked up, which is cheaper than to look where it would stand.
    pub(crate) fn scan(&self, range: &KeyRange) -> Box<dyn Iterator<Item = Keyed> + 'a> {
        if let KeyRange::One(key) = range {
            // Of its own: a slice would keep the whole received frame alive.
            let keyed = |record| (Bytes::copy_from_slice(key), record);
            return Box::new(self.get(key).map(|record| record.map(keyed)).transpose().into_iter());
        }
        Box::new(
            self.rows(range)
                .map(|row| row.and_then(|(key, raw)| Ok((key, Record::parse(raw)?)))),
        )
    }

    pub(crate) fn keys(&self, range: &KeyRange) -> impl Iterator<Item = Result<Bytes, StoreFailure>> + use<'a> {
        self.rows(range).map(|row| row.map(|(key, _)| key))
    }

    /// From the last key to the first; only for readers, the overlay has no way back.
    pub(crate) fn scan_back(&self, range: &KeyRange) -> Option<impl Iterator<Item = Keyed> + use<>> {
        let bounds = self.overlay.is_none().then(|| range.bounds())??;
        let rows = Rows::new(self.snapshot.range(&self.engine.current, bounds));
        Some(
            rows.rev()
                .map(|row| row.and_then(|(key, raw)| Ok((key, Record::parse(raw)?)))),
        )
    }

    /// Exact. Whole chunks are summed up, only the one or two that the range cuts are walked.
    pub(crate) fn count(&self, range: &KeyRange) -> Result<u64, StoreFailure> {
        let cut = self.counts.cut(range);
        let mut keys = cut.whole_chunks_keys;
        for part in &cut.parts {
            keys += self.walk(part)?;
        }
        Ok(keys)
    }

    fn walk(&self, range: &KeyRange) -> Result<u64, StoreFailure> {
        self.keys(range).try_fold(0, |keys, key| key.map(|_| keys + 1))
    }

    fn rows(&self, range: &KeyRange) -> Box<dyn Iterator<Item = Row> + 'a> {
        let Some(bounds) = range.bounds() else {
            return Box::new(std::iter::empty());
        };
        let below = Rows::new(self.snapshot.range(&self.engine.current, bounds.clone()));
        match self.overlay {
            Some(above) if !above.is_empty() => Box::new(Merged::new(below, above, bounds)),
            _ => Box::new(below),
        }
    }
}
