//! The newest rows of `history`, in memory.
//!
//! They can be worked out from `log`, so they need not be durable at once: written one by one, each would be looked
//! for its place among all others; a generation of them is written in key order. A view holds the generation that
//! its snapshot lacks, and ignores rows from after the view.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::Revision;
use super::superseded::SupersededKey;

/// Beside the key: two revisions, the head of a reference-counted slice, and a place.
const ROW_OVERHEAD_BYTES: usize = 96;
/// A change that superseded nothing has no row, but is walked over when the generation is worked out from the log:
/// what is unwritten must be soon read, too.
const OTHER_CHANGE_BYTES: usize = 32;

/// A version was superseded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) key: Bytes,
    pub(crate) superseding: Revision,
    /// Of the version itself.
    pub(crate) mod_revision: i64,
}

#[derive(Default)]
pub(crate) struct Generation {
    /// As the writer left them. It waits for nobody who puts rows in order.
    lately: Mutex<Lately>,
    /// Those that a reader has asked for.
    ordered: Mutex<BTreeMap<(Bytes, Revision), i64>>,
}

#[derive(Default)]
struct Lately {
    rows: Vec<Row>,
    /// Of all changes of the generation.
    bytes: usize,
}

impl Generation {
    pub(crate) fn bytes(&self) -> usize {
        lock(&self.lately).bytes
    }

    /// `others` is how many more changes there were.
    pub(crate) fn add(&self, rows: Vec<Row>, others: usize) {
        let mut lately = lock(&self.lately);
        lately.bytes += bytes(&rows, others);
        lately.rows.extend(rows);
    }

    /// All rows and `newer` ones, as `history` orders them. Readers may go on reading this generation.
    pub(crate) fn sorted_with(&self, newer: Vec<Row>) -> Vec<Row> {
        let ordered = lock(&self.ordered);
        let mut rows = newer;
        rows.extend_from_slice(&lock(&self.lately).rows);
        rows.extend(ordered.iter().map(|((key, superseding), mod_revision)| Row {
            key: key.clone(),
            superseding: *superseding,
            mod_revision: *mod_revision,
        }));
        rows.sort_unstable();
        rows
    }

    /// For the first key at or after `from` that changed after `after` and up to `newest`, its first such change.
    pub(crate) fn first(&self, from: &Bound<Bytes>, after: i64, newest: i64) -> Option<SupersededKey> {
        let rows = self.ordered();
        let since = Revision {
            main: after.saturating_add(1),
            sub: 0,
        };
        let mut at = match from {
            Bound::Included(key) => Bound::Included((key.clone(), since)),
            Bound::Excluded(key) => last_of(key),
            Bound::Unbounded => Bound::Unbounded,
        };
        loop {
            let ((key, superseding), mod_revision) = rows.range((at, Bound::Unbounded)).next()?;
            at = if *superseding < since {
                Bound::Included((key.clone(), since))
            } else if superseding.main > newest {
                last_of(key)
            } else {
                return Some(SupersededKey {
                    key: key.clone(),
                    superseding: *superseding,
                    mod_revision: *mod_revision,
                });
            };
        }
    }

    fn ordered(&self) -> MutexGuard<'_, BTreeMap<(Bytes, Revision), i64>> {
        let mut ordered = lock(&self.ordered);
        let lately = std::mem::take(&mut lock(&self.lately).rows);
        ordered.extend(
            lately
                .into_iter()
                .map(|row| ((row.key, row.superseding), row.mod_revision)),
        );
        ordered
    }
}

/// What the rows and so many other changes count for.
pub(crate) fn bytes(rows: &[Row], others: usize) -> usize {
    let of_rows: usize = rows.iter().map(|row| row.key.len() + ROW_OVERHEAD_BYTES).sum();
    of_rows + others * OTHER_CHANGE_BYTES
}

/// Behind every row of the key.
fn last_of(key: &Bytes) -> Bound<(Bytes, Revision)> {
    let last = Revision {
        main: i64::MAX,
        sub: u32::MAX,
    };
    Bound::Excluded((key.clone(), last))
}

/// Rows are whole whatever panicked while holding them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &'static str, main: i64) -> Row {
        Row {
            key: Bytes::from(key),
            superseding: Revision { main, sub: 0 },
            mod_revision: main - 1,
        }
    }

    fn first(generation: &Generation, from: Bound<Bytes>, after: i64, newest: i64) -> Option<(Bytes, i64)> {
        let found = generation.first(&from, after, newest)?;
        Some((found.key, found.superseding.main))
    }

    #[test]
    fn the_first_change_after_a_revision_is_found_key_by_key() {
        let generation = Generation::default();
        generation.add(vec![row("b", 2), row("a", 3), row("b", 4)], 1);
        assert_eq!(first(&generation, Bound::Unbounded, 1, 9), Some((Bytes::from("a"), 3)));
        generation.add(vec![row("b", 5), row("c", 6)], 0);
        let after_a = Bound::Excluded(Bytes::from("a"));
        assert_eq!(first(&generation, after_a.clone(), 1, 9), Some((Bytes::from("b"), 2)));
        assert_eq!(first(&generation, after_a.clone(), 3, 9), Some((Bytes::from("b"), 4)));
        assert_eq!(first(&generation, after_a, 5, 9), Some((Bytes::from("c"), 6)));
        let b = Bound::Included(Bytes::from("b"));
        assert_eq!(first(&generation, b, 4, 4), None, "the view ends before both");
        let all = generation.sorted_with(vec![row("a", 7)]);
        assert_eq!(
            all,
            [
                row("a", 3),
                row("a", 7),
                row("b", 2),
                row("b", 4),
                row("b", 5),
                row("c", 6)
            ]
        );
    }
}
