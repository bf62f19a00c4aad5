//! Where the versions are that were replaced after a revision: in `history`, and in the generation of rows not yet
//! written there.

use std::cmp::Ordering;
use std::iter::Peekable;
use std::ops::Bound;

use bytes::Bytes;
use fjall::{Readable, Snapshot};

use super::generation::Generation;
use super::overlay::Rows;
use super::{Current, KeyRange, Revision};
use crate::StoreFailure;
use crate::engine::Engine;
use crate::schema::history;

/// So many rows are stepped over before it pays to look the next key up.
const STEPS_MAX: usize = 8;

/// Of one key: its first change after a revision, and the version that this change ended.
pub(crate) struct SupersededKey {
    pub(crate) key: Bytes,
    pub(crate) superseding: Revision,
    pub(crate) mod_revision: i64,
}

/// For each key of a range that changed after a revision, where its version of then is.
pub(crate) struct Superseded<'a> {
    stored: Peekable<Stored<'a>>,
    unwritten: Peekable<Unwritten<'a>>,
}

impl<'a> Superseded<'a> {
    pub(crate) fn new(current: Current<'a>, range: &KeyRange, revision: i64) -> Self {
        Self {
            stored: Stored::new(current, range, revision).peekable(),
            unwritten: Unwritten::new(current, range, revision).peekable(),
        }
    }
}

impl Iterator for Superseded<'_> {
    type Item = Result<SupersededKey, StoreFailure>;

    /// What is written of a key comes before what is not.
    fn next(&mut self) -> Option<Self::Item> {
        let order = match (self.stored.peek(), self.unwritten.peek()) {
            (Some(Ok(stored)), Some(unwritten)) => stored.key.cmp(&unwritten.key),
            (None, Some(_)) => Ordering::Greater,
            _ => Ordering::Less,
        };
        if order != Ordering::Less {
            let unwritten = self.unwritten.next();
            if order == Ordering::Greater {
                return unwritten.map(Ok);
            }
        }
        self.stored.next()
    }
}

/// What the generation holds of it.
struct Unwritten<'a> {
    generation: &'a Generation,
    range: KeyRange,
    revision: i64,
    newest: i64,
    from: Bound<Bytes>,
}

impl<'a> Unwritten<'a> {
    fn new(current: Current<'a>, range: &KeyRange, revision: i64) -> Self {
        Self {
            generation: current.generation,
            range: range.clone(),
            revision,
            newest: current.revision,
            from: range.bounds().map_or(Bound::Unbounded, |(from, _)| from),
        }
    }
}

impl Iterator for Unwritten<'_> {
    type Item = SupersededKey;

    fn next(&mut self) -> Option<SupersededKey> {
        let found = self.generation.first(&self.from, self.revision, self.newest)?;
        self.from = Bound::Excluded(found.key.clone());
        self.range.contains(&found.key).then_some(found)
    }
}

/// What is written of it.
struct Stored<'a> {
    engine: &'a Engine,
    snapshot: &'a Snapshot,
    revision: i64,
    end: Option<Vec<u8>>,
    rows: Option<Rows>,
    steps: usize,
    /// The key answered last; its further rows do not matter.
    done: Vec<u8>,
}

impl<'a> Stored<'a> {
    fn new(current: Current<'a>, range: &KeyRange, revision: i64) -> Self {
        let (engine, snapshot) = (current.engine, current.snapshot);
        let mut new = Self {
            engine,
            snapshot,
            revision,
            end: None,
            rows: None,
            steps: 0,
            done: Vec::new(),
        };
        match range {
            KeyRange::Empty => {}
            KeyRange::One(key) => {
                let prefix = history::prefix(key);
                new.end = Some(after(&prefix));
                new.seek(history::with_revision(
                    prefix,
                    Revision {
                        main: revision + 1,
                        sub: 0,
                    },
                ));
            }
            KeyRange::Span { start, end } => {
                new.end = end.as_ref().map(|end| history::prefix(end));
                new.seek(history::prefix(start));
            }
        }
        new
    }

    fn seek(&mut self, from: Vec<u8>) {
        self.steps = 0;
        let rows = match &self.end {
            Some(end) => self.snapshot.range(&self.engine.history, from..end.clone()),
            None => self.snapshot.range(&self.engine.history, from..),
        };
        self.rows = Some(Rows::new(rows));
    }

    fn step(&mut self) -> Result<Option<SupersededKey>, StoreFailure> {
        while let Some(row) = self.rows.as_mut().and_then(Iterator::next) {
            let (key, value) = row?;
            let (prefix, superseding) = history::split_key(&key)?;
            if prefix == self.done {
                self.step_over(prefix, None);
            } else if superseding.main <= self.revision {
                self.step_over(
                    prefix,
                    Some(Revision {
                        main: self.revision + 1,
                        sub: 0,
                    }),
                );
            } else {
                self.steps = 0;
                self.done = prefix.to_vec();
                let (key, mod_revision) = (history::user_key(prefix)?.into(), history::parse_value(&value)?);
                return Ok(Some(SupersededKey {
                    key,
                    superseding,
                    mod_revision,
                }));
            }
        }
        Ok(None)
    }

    /// Iterators of the engine cannot be moved, so a long way is cut short by a new one.
    fn step_over(&mut self, prefix: &[u8], to: Option<Revision>) {
        self.steps += 1;
        if self.steps >= STEPS_MAX {
            self.seek(match to {
                Some(revision) => history::with_revision(prefix.to_vec(), revision),
                None => after(prefix),
            });
        }
    }
}

/// The first key after all rows of this one.
fn after(prefix: &[u8]) -> Vec<u8> {
    let mut after = prefix.to_vec();
    // The prefix ends in the end mark's 01.
    if let Some(last) = after.last_mut() {
        *last += 1;
    }
    after
}

impl Iterator for Stored<'_> {
    type Item = Result<SupersededKey, StoreFailure>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}
