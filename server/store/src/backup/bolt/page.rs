//! One page as read from a file from outside: every length and offset in it is checked before it is followed.

use bytes::Bytes;

use super::format::{BRANCH, ELEMENT_BYTES, LEAF, PAGE_HEADER_BYTES, PageHeader, u32_at, u64_at};

/// The whole page with what overflows from it.
#[derive(Debug, Clone)]
pub struct Page {
    header: PageHeader,
    bytes: Bytes,
}

/// An element of a leaf.
pub struct LeafEntry {
    pub flags: u32,
    pub key: Bytes,
    pub value: Bytes,
}

impl Page {
    /// None if `bytes` is no branch or leaf, or too short for as many elements as it says.
    pub fn parse(bytes: Bytes) -> Option<Self> {
        let header = PageHeader::decode(&bytes)?;
        let elements_end = PAGE_HEADER_BYTES + usize::from(header.count) * ELEMENT_BYTES;
        let known = header.flags == BRANCH || header.flags == LEAF;
        (known && elements_end <= bytes.len()).then_some(Self { header, bytes })
    }
    pub fn is_leaf(&self) -> bool {
        self.header.flags == LEAF
    }
    pub fn count(&self) -> u16 {
        self.header.count
    }

    pub fn child(&self, index: u16) -> Option<u64> {
        u64_at(&self.bytes, element_at(index) + 8)
    }

    pub fn entry(&self, index: u16) -> Option<LeafEntry> {
        let at = element_at(index);
        let word = |offset: usize| u32_at(&self.bytes, at + offset);
        let key_start = at.checked_add(word(4)? as usize)?;
        let key_end = key_start.checked_add(word(8)? as usize)?;
        let value_end = key_end.checked_add(word(12)? as usize)?;
        if value_end > self.bytes.len() {
            return None;
        }
        let (key, value) = (
            self.bytes.slice(key_start..key_end),
            self.bytes.slice(key_end..value_end),
        );
        Some(LeafEntry {
            flags: word(0)?,
            key,
            value,
        })
    }
}

fn element_at(index: u16) -> usize {
    PAGE_HEADER_BYTES + usize::from(index) * ELEMENT_BYTES
}
