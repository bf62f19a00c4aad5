//! Builds a file bottom up from sorted entries: leaves as they fill, then branches, the meta pages last.

use std::io::{self, BufWriter, Seek, SeekFrom, Write};

use super::format::{IS_BUCKET, KEY_BYTES_MAX, Meta, PAGE_BYTES, VALUE_BYTES_MAX, encode_bucket};
use super::node::{Kind, Node};

const BUFFER_BYTES: usize = 1 << 20;
const META_PAGES: u64 = 2;
/// bbolt keeps a bucket of up to a quarter of a page inside its parent.
const INLINE_BYTES_MAX: usize = PAGE_BYTES / 4;
/// A branch is closed with at least this many children: it can spare one and still has the two that bbolt demands
/// of every branch once it deletes from it.
const CHILDREN_BEFORE_CLOSE_MIN: usize = 4;

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("backup file: {0}")]
    Io(#[from] io::Error),
    #[error("backup file: keys of a bucket, and buckets, must come in strictly ascending order")]
    OutOfOrder,
    #[error("backup file: a key is 1 to {KEY_BYTES_MAX} bytes long, this one has {0}")]
    KeyLength(usize),
    #[error("backup file: a value is at most {VALUE_BYTES_MAX} bytes long, this one has {0}")]
    ValueLength(usize),
}

/// Writes one file from position 0 of `out`.
pub struct Writer<W: Write + Seek> {
    out: BufWriter<W>,
    next_page: u64,
    buckets: Vec<(Vec<u8>, Vec<u8>)>,
}

impl<W: Write + Seek> Writer<W> {
    pub fn new(mut out: W) -> Result<Self, WriteError> {
        out.seek(SeekFrom::Start(META_PAGES * PAGE_BYTES as u64))?;
        let out = BufWriter::with_capacity(BUFFER_BYTES, out);
        Ok(Self {
            out,
            next_page: META_PAGES,
            buckets: Vec::new(),
        })
    }

    /// Buckets are written one after the other, in ascending order of their names.
    pub fn bucket(&mut self, name: &[u8]) -> Result<BucketWriter<'_, W>, WriteError> {
        check_order(self.buckets.last().map(|(last, _)| last.as_slice()), name)?;
        self.buckets.push((name.to_vec(), Vec::new()));
        Ok(BucketWriter {
            file: self,
            leaf: Node::new(Kind::Leaf),
            levels: Vec::new(),
            last_key: Vec::new(),
        })
    }

    /// Writes root and meta pages. Returns the length of the file in bytes.
    pub fn finish(mut self) -> Result<u64, WriteError> {
        let root = self.root()?;
        self.out.seek(SeekFrom::Start(0))?;
        // Both meta pages name the same tree, so that a damaged one does no harm.
        for txid in [2, 1] {
            let meta = Meta {
                page_bytes: PAGE_BYTES as u32,
                root,
                high_water: self.next_page,
                txid,
            };
            self.out.write_all(&meta.encode_page())?;
        }
        self.out.flush()?;
        Ok(self.next_page * PAGE_BYTES as u64)
    }

    /// The bucket of buckets: a single node, however many pages it takes, as there are a dozen buckets at most.
    fn root(&mut self) -> Result<u64, WriteError> {
        let mut root = Node::new(Kind::Leaf);
        for (name, value) in std::mem::take(&mut self.buckets) {
            root.push(u64::from(IS_BUCKET), &name, &value);
        }
        Ok(self.append(&root)?)
    }

    fn append(&mut self, node: &Node) -> io::Result<u64> {
        let id = self.next_page;
        let mut page = node.encode(id);
        page.resize(page.len().next_multiple_of(PAGE_BYTES), 0);
        self.out.write_all(&page)?;
        self.next_page += node.pages();
        Ok(id)
    }
}

/// One level of branches: the one being filled, and the full one before it, held back so that the last branch of
/// the level can get a second child from it.
struct Level {
    held: Option<Node>,
    filling: Node,
}

/// Takes the entries of one bucket in ascending order.
pub struct BucketWriter<'a, W: Write + Seek> {
    file: &'a mut Writer<W>,
    leaf: Node,
    levels: Vec<Level>,
    last_key: Vec<u8>,
}

impl<W: Write + Seek> BucketWriter<'_, W> {
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), WriteError> {
        check_entry(key, value)?;
        check_order(Some(self.last_key.as_slice()), key)?;
        if !self.leaf.is_empty() && !self.leaf.fits(key, value) {
            self.close_leaf()?;
        }
        self.leaf.push(0, key, value);
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        Ok(())
    }

    pub fn finish(mut self) -> Result<(), WriteError> {
        let value = self.close()?;
        if let Some((_, slot)) = self.file.buckets.last_mut() {
            *slot = value;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<Vec<u8>, WriteError> {
        if self.levels.is_empty() {
            return Ok(self.close_small()?);
        }
        self.close_leaf()?;
        let mut height = 0;
        loop {
            if let Some(root) = self.close_level(height)? {
                return Ok(encode_bucket(root));
            }
            height += 1;
        }
    }

    /// A bucket of a single leaf, inside its parent if it is small enough.
    fn close_small(&mut self) -> io::Result<Vec<u8>> {
        if self.leaf.bytes() > INLINE_BYTES_MAX {
            return Ok(encode_bucket(self.file.append(&self.leaf)?));
        }
        let mut value = encode_bucket(0);
        value.extend_from_slice(&self.leaf.encode(0));
        Ok(value)
    }

    /// Writes what is left of a level. Returns the root's page if this level is the top.
    fn close_level(&mut self, height: usize) -> io::Result<Option<u64>> {
        let level = &mut self.levels[height];
        let (held, mut last) = (
            level.held.take(),
            std::mem::replace(&mut level.filling, Node::new(Kind::Branch)),
        );
        let Some(mut held) = held else {
            return self.file.append(&last).map(Some);
        };
        if last.len() < 2 {
            last.take_last_of(&mut held);
        }
        self.append_below(height + 1, &held)?;
        self.append_below(height + 1, &last)?;
        Ok(None)
    }

    fn close_leaf(&mut self) -> io::Result<()> {
        let leaf = std::mem::replace(&mut self.leaf, Node::new(Kind::Leaf));
        self.append_below(0, &leaf)
    }

    /// Writes `child` and enters it into the level above it.
    fn append_below(&mut self, height: usize, child: &Node) -> io::Result<()> {
        let page = self.file.append(child)?;
        let closed = self.level(height).add(child.first_key(), page);
        closed.map_or(Ok(()), |full| self.append_below(height + 1, &full))
    }

    fn level(&mut self, height: usize) -> &mut Level {
        if self.levels.len() == height {
            self.levels.push(Level {
                held: None,
                filling: Node::new(Kind::Branch),
            });
        }
        &mut self.levels[height]
    }
}

impl Level {
    /// Returns a branch that is certain not to be the last but one of its level.
    fn add(&mut self, key: &[u8], page: u64) -> Option<Node> {
        let mut closed = None;
        if self.filling.len() >= CHILDREN_BEFORE_CLOSE_MIN && !self.filling.fits(key, &[]) {
            let full = std::mem::replace(&mut self.filling, Node::new(Kind::Branch));
            closed = self.held.replace(full);
        }
        self.filling.push(page, key, &[]);
        closed
    }
}

fn check_entry(key: &[u8], value: &[u8]) -> Result<(), WriteError> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(WriteError::KeyLength(key.len()));
    }
    if value.len() > VALUE_BYTES_MAX {
        return Err(WriteError::ValueLength(value.len()));
    }
    Ok(())
}

fn check_order(last: Option<&[u8]>, next: &[u8]) -> Result<(), WriteError> {
    if last.is_some_and(|last| last >= next) {
        Err(WriteError::OutOfOrder)
    } else {
        Ok(())
    }
}
