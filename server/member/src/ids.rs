//! Identifiers that never repeat: member in the high bits, start time in the middle, a counter below.

use std::sync::atomic::{AtomicU64, Ordering};

/// Gives out ids for requests and leases (the shape of etcd's idutil).
pub(crate) struct IdGenerator {
    prefix: u64,
    suffix: AtomicU64,
}

const SUFFIX_BITS: u32 = 48;

impl IdGenerator {
    pub fn new(member_id: u64, started_at_ms: u64) -> Self {
        let prefix = (member_id & 0xffff) << SUFFIX_BITS;
        // 40 bits of milliseconds, 8 bits for the ids of one millisecond; faster use borrows from the time.
        let suffix = (started_at_ms << 8) & ((1 << SUFFIX_BITS) - 1);
        IdGenerator {
            prefix,
            suffix: AtomicU64::new(suffix),
        }
    }

    pub fn next(&self) -> u64 {
        let suffix = self.suffix.fetch_add(1, Ordering::Relaxed) + 1;
        self.prefix | (suffix & ((1 << SUFFIX_BITS) - 1))
    }

    /// A positive lease id.
    pub fn next_lease(&self) -> i64 {
        (self.next() & (i64::MAX as u64)).max(1) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_life_differ() {
        let ids = IdGenerator::new(7, 1_000);
        let first = ids.next();
        assert_ne!(first, ids.next());
    }

    #[test]
    fn a_later_life_starts_above_an_earlier_one() {
        let early = IdGenerator::new(7, 1_000);
        let late = IdGenerator::new(7, 1_001);
        assert!(late.next() > early.next());
    }

    #[test]
    fn lease_ids_are_positive() {
        assert!(IdGenerator::new(u64::MAX, u64::MAX).next_lease() > 0);
    }
}
