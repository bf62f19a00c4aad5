//! Records written lately, so that the next write of the same key need not ask the engine for the version it
//! replaces: that question is the dearest part of a put.

use std::collections::HashMap;

use bytes::Bytes;

use crate::schema::record::Record;

/// What one entry costs beside key and record: two reference-counted slices and a slot.
const ENTRY_OVERHEAD_BYTES: usize = 128;

/// Two generations: a full young one becomes the old one, and what was not written again is forgotten.
#[derive(Default)]
pub(crate) struct Recent {
    generation_bytes_max: usize,
    young: HashMap<Bytes, Record>,
    young_bytes: usize,
    old: HashMap<Bytes, Record>,
}

impl Recent {
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self {
            generation_bytes_max: (bytes_max / 2) as usize,
            ..Self::default()
        }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&Record> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    pub(crate) fn insert(&mut self, key: Bytes, record: Record) {
        let bytes = entry_bytes(key.len(), &record);
        if bytes > self.generation_bytes_max {
            self.remove(&key);
            return;
        }
        if self.young_bytes + bytes > self.generation_bytes_max {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        let key_len = key.len();
        self.young_bytes += bytes;
        if let Some(replaced) = self.young.insert(key, record) {
            self.young_bytes -= entry_bytes(key_len, &replaced);
        }
    }

    pub(crate) fn remove(&mut self, key: &[u8]) {
        if let Some(removed) = self.young.remove(key) {
            self.young_bytes -= entry_bytes(key.len(), &removed);
        }
        self.old.remove(key);
    }
}

fn entry_bytes(key_len: usize, record: &Record) -> usize {
    key_len + record.raw().len() + ENTRY_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mvcc::Revision;
    use crate::schema::record::Parts;

    fn record(version: i64, value_bytes: usize) -> Record {
        let revision = Revision { main: 2, sub: 0 };
        Record::new(&Parts {
            create_revision: 2,
            revision,
            version,
            lease: 0,
            value: &vec![0; value_bytes],
        })
    }

    #[test]
    fn the_last_write_is_what_comes_back() {
        let mut recent = Recent::new(1 << 20);
        recent.insert(Bytes::from("k"), record(1, 10));
        recent.insert(Bytes::from("k"), record(2, 10));
        assert_eq!(recent.get(b"k").map(Record::version), Some(2));
        recent.remove(b"k");
        assert!(recent.get(b"k").is_none());
        assert_eq!(recent.young_bytes, 0);
    }

    #[test]
    fn memory_stays_within_the_bound() {
        let mut recent = Recent::new(100_000);
        for n in 0..10_000 {
            recent.insert(Bytes::from(format!("{n}")), record(1, n % 500));
            assert!(recent.young_bytes <= 50_000);
        }
        assert!(recent.young.len() + recent.old.len() < 1000);
    }

    #[test]
    fn a_record_too_large_to_keep_does_not_leave_the_older_one_behind() {
        let mut recent = Recent::new(1000);
        recent.insert(Bytes::from("k"), record(1, 10));
        recent.insert(Bytes::from("k"), record(2, 5000));
        assert!(recent.get(b"k").is_none());
    }

    #[test]
    fn a_rewrite_after_ageing_hides_the_old_generation() {
        let mut recent = Recent::new(1000);
        recent.insert(Bytes::from("k"), record(1, 200));
        recent.insert(Bytes::from("l"), record(1, 200));
        recent.insert(Bytes::from("k"), record(2, 10));
        assert_eq!(recent.get(b"k").map(Record::version), Some(2));
    }
}
