//! Records written lately, so that the next write of the same key need not ask the engine for the version it
//! replaces: that question is the dearest part of a put.

use std::collections::HashMap;

use bytes::Bytes;
use foldhash::fast::RandomState;

use crate::schema::record::Record;

/// What one entry costs beside key and record: its slot, its place in the map, and the heads of two
/// reference-counted slices.
const ENTRY_OVERHEAD_BYTES: usize = 232;

/// A clock: a full one forgets what the hand finds not written again since it last came by. So keys that fit in are
/// never forgotten, and keys written often outlive those written once.
///
/// Keys are the clients' choice, so the hash is seeded at random: no collisions can be worked out beforehand. It
/// decides nothing that shows, because slots are walked in the order they were taken.
pub(crate) struct Recent {
    bytes_max: usize,
    bytes: usize,
    slot_of: HashMap<Bytes, usize, RandomState>,
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    hand: usize,
}

struct Slot {
    key: Bytes,
    record: Record,
    again: bool,
}

impl Slot {
    fn bytes(&self) -> usize {
        entry_bytes(&self.key, &self.record)
    }
}

impl Recent {
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self {
            bytes_max: bytes_max as usize,
            bytes: 0,
            slot_of: HashMap::default(),
            slots: Vec::new(),
            free: Vec::new(),
            hand: 0,
        }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&Record> {
        let slot = *self.slot_of.get(key)?;
        self.slots[slot].as_ref().map(|slot| &slot.record)
    }

    pub(crate) fn insert(&mut self, key: &Bytes, record: Record) {
        let bytes = entry_bytes(key, &record);
        if bytes > self.bytes_max {
            self.remove(key);
            return;
        }
        self.bytes += bytes;
        match self.slot_of.get(key).and_then(|slot| self.slots[*slot].as_mut()) {
            Some(slot) => {
                self.bytes -= slot.bytes();
                slot.record = record;
                slot.again = true;
            }
            None => self.take(key.clone(), record),
        }
        while self.bytes > self.bytes_max {
            self.tick();
        }
    }

    pub(crate) fn remove(&mut self, key: &[u8]) {
        if let Some(slot) = self.slot_of.remove(key) {
            self.clear(slot);
        }
    }

    fn take(&mut self, key: Bytes, record: Record) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slot_of.insert(key.clone(), slot);
        self.slots[slot] = Some(Slot {
            key,
            record,
            again: false,
        });
    }

    fn clear(&mut self, slot: usize) {
        if let Some(cleared) = self.slots[slot].take() {
            self.bytes -= cleared.bytes();
            self.free.push(slot);
        }
    }

    /// Moves the hand on by one slot.
    fn tick(&mut self) {
        let slot = self.hand;
        self.hand = (slot + 1) % self.slots.len();
        match &mut self.slots[slot] {
            Some(entry) if entry.again => entry.again = false,
            Some(entry) => {
                self.slot_of.remove(&entry.key);
                self.clear(slot);
            }
            None => {}
        }
    }
}

fn entry_bytes(key: &[u8], record: &Record) -> usize {
    key.len() + record.raw().len() + ENTRY_OVERHEAD_BYTES
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

    fn insert(recent: &mut Recent, key: &str, record: Record) {
        recent.insert(&Bytes::copy_from_slice(key.as_bytes()), record);
    }

    #[test]
    fn the_last_write_is_what_comes_back() {
        let mut recent = Recent::new(1 << 20);
        insert(&mut recent, "k", record(1, 10));
        insert(&mut recent, "k", record(2, 10));
        assert_eq!(recent.get(b"k").map(Record::version), Some(2));
        recent.remove(b"k");
        assert!(recent.get(b"k").is_none());
        assert_eq!(recent.bytes, 0);
    }

    #[test]
    fn memory_stays_within_the_bound() {
        let mut recent = Recent::new(100_000);
        for n in 0..10_000 {
            insert(&mut recent, &n.to_string(), record(1, n % 500));
            let bytes: usize = recent.slots.iter().flatten().map(Slot::bytes).sum();
            assert!(recent.bytes <= 100_000 && recent.bytes == bytes);
        }
        assert_eq!(recent.slots.iter().flatten().count(), recent.slot_of.len());
        assert!(recent.slots.len() < 1000);
    }

    #[test]
    fn keys_that_fit_in_are_never_forgotten() {
        let mut recent = Recent::new(100 * (2 + 36 + 200 + ENTRY_OVERHEAD_BYTES as u64));
        for n in 0..10_000 {
            let key = format!("{:02}", n * 37 % 100);
            assert!(n < 100 || recent.get(key.as_bytes()).is_some());
            insert(&mut recent, &key, record(1, 200));
        }
    }

    #[test]
    fn keys_written_often_outlive_those_written_once() {
        let mut recent = Recent::new(20_000);
        for n in 0..1_000 {
            insert(&mut recent, "often", record(n, 100));
            insert(&mut recent, &n.to_string(), record(1, 100));
            assert_eq!(recent.get(b"often").map(Record::version), Some(n));
        }
    }

    #[test]
    fn a_record_too_large_to_keep_does_not_leave_the_older_one_behind() {
        let mut recent = Recent::new(1000);
        insert(&mut recent, "k", record(1, 10));
        insert(&mut recent, "k", record(2, 5000));
        assert!(recent.get(b"k").is_none());
    }
}
