//! Keys as numbers: their order is the order of the bytes on the wire.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

const DIGITS: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(pub u32);

impl Key {
    /// What a key that nobody wrote is read as.
    pub const FOREIGN: Self = Self(u32::MAX);

    pub fn wire(self) -> Bytes {
        format!("k{:0DIGITS$}", self.0).into()
    }

    pub fn parse(wire: &[u8]) -> Self {
        let number = std::str::from_utf8(wire).ok().and_then(|text| text.strip_prefix('k'));
        number
            .filter(|digits| digits.len() == DIGITS)
            .and_then(|digits| digits.parse().ok())
            .map_or(Self::FOREIGN, Self)
    }

    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Keys from one on, up to another that is not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    pub from: Key,
    pub to: Key,
}

impl Span {
    pub fn single(key: Key) -> Self {
        Self {
            from: key,
            to: key.next(),
        }
    }
    pub fn new(from: u32, to: u32) -> Self {
        Self {
            from: Key(from),
            to: Key(to),
        }
    }
    /// Every key that can be written.
    pub fn all() -> Self {
        Self::new(0, 99_999_999)
    }
    pub fn contains(self, key: Key) -> bool {
        self.from <= key && key < self.to
    }
    pub fn width(self) -> u32 {
        self.to.0.saturating_sub(self.from.0)
    }
    /// Key and range end of a request. A single key has no range end.
    pub fn wire(self) -> (Bytes, Bytes) {
        let end = if self.width() == 1 {
            Bytes::new()
        } else {
            self.to.wire()
        };
        (self.from.wire(), end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_from_the_wire_in_the_same_order() {
        for key in [0, 7, 10, 1000, 12_345_678].map(Key) {
            assert_eq!(Key::parse(&key.wire()), key);
            assert!(key.wire() < key.next().wire());
        }
        assert_eq!(Key::parse(b"else"), Key::FOREIGN);
    }
}
