//! Which keys a request means.

use bytes::Bytes;

/// A set of neighbouring keys, in etcd's form of a key and a range end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyRange {
    pub start: Bytes,
    pub end: End,
}

/// Where a range ends. The order of the variants is the order of the ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// The start itself is the only key.
    Point,
    /// The first key that is not in the range any more.
    Before(Bytes),
    Unbounded,
}

impl KeyRange {
    /// An empty end means one key, a single zero byte every key from `key` on (etcd rpc.proto, RangeRequest).
    pub fn new(key: Bytes, range_end: Bytes) -> Self {
        let end = match range_end.as_ref() {
            [] => End::Point,
            [0] => End::Unbounded,
            _ => End::Before(range_end),
        };
        KeyRange { start: key, end }
    }

    pub fn is_empty(&self) -> bool {
        matches!(&self.end, End::Before(end) if *end <= self.start)
    }

    pub fn contains(&self, key: &[u8]) -> bool {
        match &self.end {
            End::Point => self.start == key,
            End::Before(end) => self.start <= key && key < end.as_ref(),
            End::Unbounded => self.start <= key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(key: &'static str, end: &'static str) -> KeyRange {
        KeyRange::new(Bytes::from(key), Bytes::from(end))
    }

    #[test]
    fn an_empty_end_is_one_key() {
        assert!(range("a", "").contains(b"a"));
        assert!(!range("a", "").contains(b"aa"));
    }

    #[test]
    fn a_zero_byte_ends_nowhere() {
        assert!(range("b", "\0").contains(b"zzz"));
        assert!(!range("b", "\0").contains(b"a"));
    }

    #[test]
    fn the_end_is_not_part_of_the_range() {
        assert!(range("a", "c").contains(b"bzz"));
        assert!(!range("a", "c").contains(b"c"));
    }

    #[test]
    fn an_end_at_or_before_the_start_is_empty() {
        assert!(range("b", "b").is_empty());
        assert!(range("b", "a").is_empty());
        assert!(!range("b", "").is_empty());
    }
}
