//! One page while it is being filled.

use super::format::{BRANCH, ELEMENT_BYTES, LEAF, PAGE_BYTES, PAGE_HEADER_BYTES, PageHeader};

/// Which tree level the page is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Leaf,
    Branch,
}

#[derive(Debug, Clone, Copy)]
struct Element {
    /// A leaf's element flags, a branch's child page.
    tag: u64,
    key_bytes: u32,
    value_bytes: u32,
}

/// Elements and, end to end, their keys and values.
#[derive(Debug)]
pub struct Node {
    kind: Kind,
    elements: Vec<Element>,
    data: Vec<u8>,
}

impl Node {
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            elements: Vec::new(),
            data: Vec::new(),
        }
    }
    pub fn len(&self) -> usize {
        self.elements.len()
    }
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }
    /// Bytes of the page without padding.
    pub fn bytes(&self) -> usize {
        PAGE_HEADER_BYTES + self.elements.len() * ELEMENT_BYTES + self.data.len()
    }
    pub fn fits(&self, key: &[u8], value: &[u8]) -> bool {
        self.bytes() + ELEMENT_BYTES + key.len() + value.len() <= PAGE_BYTES
    }
    pub fn first_key(&self) -> &[u8] {
        self.elements
            .first()
            .map_or(&[], |first| &self.data[..first.key_bytes as usize])
    }

    /// The caller has checked that the lengths fit into 32 bits.
    pub fn push(&mut self, tag: u64, key: &[u8], value: &[u8]) {
        debug_assert!(key.len() <= u32::MAX as usize && value.len() <= u32::MAX as usize);
        self.elements.push(Element {
            tag,
            key_bytes: key.len() as u32,
            value_bytes: value.len() as u32,
        });
        self.data.extend_from_slice(key);
        self.data.extend_from_slice(value);
    }

    /// Gives this node the last child of its left neighbour.
    pub fn take_last_of(&mut self, left: &mut Node) {
        let Some(moved) = left.elements.pop() else { return };
        let start = left.data.len() - (moved.key_bytes + moved.value_bytes) as usize;
        let mut data = left.data.split_off(start);
        data.append(&mut self.data);
        self.data = data;
        self.elements.insert(0, moved);
    }

    /// How many pages the node takes.
    pub fn pages(&self) -> u64 {
        self.bytes().div_ceil(PAGE_BYTES) as u64
    }

    /// The page without padding.
    pub fn encode(&self, id: u64) -> Vec<u8> {
        let mut page = Vec::with_capacity(self.bytes().next_multiple_of(PAGE_BYTES));
        let flags = if self.kind == Kind::Leaf { LEAF } else { BRANCH };
        let header = PageHeader {
            id,
            flags,
            count: self.elements.len() as u16,
            overflow: (self.pages() - 1) as u32,
        };
        header.encode(&mut page);
        let mut data_offset = 0;
        for (index, element) in self.elements.iter().enumerate() {
            let to_data = (self.elements.len() - index) * ELEMENT_BYTES + data_offset;
            self.encode_element(element, to_data as u32, &mut page);
            data_offset += (element.key_bytes + element.value_bytes) as usize;
        }
        page.extend_from_slice(&self.data);
        page
    }

    fn encode_element(&self, element: &Element, position: u32, page: &mut Vec<u8>) {
        match self.kind {
            Kind::Leaf => {
                for word in [element.tag as u32, position, element.key_bytes, element.value_bytes] {
                    page.extend_from_slice(&word.to_le_bytes());
                }
            }
            Kind::Branch => {
                page.extend_from_slice(&position.to_le_bytes());
                page.extend_from_slice(&element.key_bytes.to_le_bytes());
                page.extend_from_slice(&element.tag.to_le_bytes());
            }
        }
    }
}
