//! A range at an older revision: `current` merged with what was superseded since, key by key.

use std::cmp::Ordering;
use std::iter::Peekable;

use bytes::Bytes;

use super::KeyRange;
use super::current::Keyed;
use super::old::{Log, Old};
use super::superseded::{Superseded, SupersededKey};
use crate::StoreFailure;
use crate::schema::record::Record;

/// The keys of a range as they were at `revision`.
pub(super) struct Walk<'a> {
    newest: Peekable<Box<dyn Iterator<Item = Keyed> + 'a>>,
    superseded: Peekable<Superseded<'a>>,
    log: Log<'a>,
    revision: i64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(old: &Old<'a>, range: &KeyRange) -> Self {
        Self {
            newest: old.current.scan(range).peekable(),
            superseded: Superseded::new(old.current, range, old.revision).peekable(),
            log: old.log(),
            revision: old.revision,
        }
    }
}

enum Side {
    Newest,
    Superseded,
    Both,
}

impl Walk<'_> {
    fn side(&mut self) -> Option<Side> {
        Some(match (self.newest.peek(), self.superseded.peek()) {
            (None, None) => return None,
            (Some(Ok((newest, _))), Some(Ok(old))) => match (*newest).cmp(&old.key) {
                Ordering::Less => Side::Newest,
                Ordering::Equal => Side::Both,
                Ordering::Greater => Side::Superseded,
            },
            (Some(Err(_)), _) | (Some(_), None) => Side::Newest,
            _ => Side::Superseded,
        })
    }

    /// The next key, whether it was there at the revision or not.
    fn step(&mut self) -> Option<Result<Option<(Bytes, Record)>, StoreFailure>> {
        let side = self.side()?;
        let newest = if matches!(side, Side::Superseded) {
            None
        } else {
            self.newest.next()
        };
        let old = if matches!(side, Side::Newest) {
            None
        } else {
            self.superseded.next()
        };
        Some(self.choose(newest, old))
    }

    fn choose(
        &self,
        newest: Option<Keyed>,
        old: Option<Result<SupersededKey, StoreFailure>>,
    ) -> Result<Option<(Bytes, Record)>, StoreFailure> {
        match newest.transpose()? {
            Some((key, record)) if record.mod_revision() <= self.revision => return Ok(Some((key, record))),
            _ => {}
        }
        match old.transpose()? {
            Some(old) => Ok(self
                .log
                .version_at(&old, self.revision)?
                .map(|record| (old.key, record))),
            None => Ok(None),
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = Keyed;

    fn next(&mut self) -> Option<Keyed> {
        loop {
            match self.step()? {
                Ok(None) => {}
                Ok(Some(found)) => return Some(Ok(found)),
                Err(why) => return Some(Err(why)),
            }
        }
    }
}
