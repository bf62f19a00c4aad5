//! Rows of a keyspace that are decided but not committed, laid over the committed ones.

use std::collections::{BTreeMap, btree_map};
use std::iter::Peekable;
use std::ops::Bound;

use bytes::Bytes;

use crate::StoreFailure;

/// None: the row will be removed.
pub(crate) type Overlay = BTreeMap<Bytes, Option<Bytes>>;

pub(crate) type Row = Result<(Bytes, Bytes), StoreFailure>;

/// Committed rows in key order.
pub(crate) struct Rows(fjall::Iter);

impl Rows {
    pub(crate) fn new(rows: fjall::Iter) -> Self {
        Self(rows)
    }
}

fn row(guard: fjall::Guard) -> Row {
    let (key, value) = guard.into_inner()?;
    Ok((key.into(), value.into()))
}

impl Iterator for Rows {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        self.0.next().map(row)
    }
}

impl DoubleEndedIterator for Rows {
    fn next_back(&mut self) -> Option<Row> {
        self.0.next_back().map(row)
    }
}

/// Committed rows with the undecided ones laid over them, in key order.
pub(crate) struct Merged<'a> {
    below: Peekable<Rows>,
    above: Peekable<btree_map::Range<'a, Bytes, Option<Bytes>>>,
}

impl<'a> Merged<'a> {
    pub(crate) fn new(below: Rows, above: &'a Overlay, bounds: (Bound<Bytes>, Bound<Bytes>)) -> Self {
        Self {
            below: below.peekable(),
            above: above.range(bounds).peekable(),
        }
    }

    /// The next row from above goes first, hiding one from below with the same key.
    fn above_is_next(&mut self) -> bool {
        match (self.above.peek(), self.below.peek()) {
            (Some((above, _)), Some(Ok((below, _)))) => *above <= below,
            (Some(_), None) => true,
            (_, Some(Err(_))) | (None, _) => false,
        }
    }
}

impl Iterator for Merged<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        while self.above_is_next() {
            let (key, value) = self.above.next()?;
            self.below
                .next_if(|below| matches!(below, Ok((hidden, _)) if hidden == key));
            if let Some(value) = value {
                return Some(Ok((key.clone(), value.clone())));
            }
        }
        self.below.next()
    }
}
