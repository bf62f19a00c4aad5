//! Reads a file page by page, in key order.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use bytes::Bytes;

use super::format::{
    BUCKET_HEADER_BYTES, IS_BUCKET, META_BYTES, Meta, PAGE_BYTES_POSSIBLE, PAGE_HEADER_BYTES, PageHeader, u64_at,
};
use super::page::{LeafEntry, Page};

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("this is no bbolt file: neither meta page is valid")]
    NoMeta,
    #[error("the file is cut off: it should have at least {expected_bytes} bytes and has {found_bytes}")]
    Cut { expected_bytes: u64, found_bytes: u64 },
    #[error("page {page} is damaged: {why}")]
    Damaged { page: u64, why: &'static str },
}

/// An open file.
pub struct Reader {
    file: File,
    meta: Meta,
}

/// Where the entries of a bucket are.
#[derive(Debug, Clone)]
pub enum Bucket {
    Paged(u64),
    Inline(Bytes),
}

impl Reader {
    pub fn open(file: File) -> Result<Self, ReadError> {
        let meta = newest_meta(&file)?;
        let found_bytes = file.metadata()?.len();
        let expected_bytes = meta.high_water.saturating_mul(u64::from(meta.page_bytes));
        if expected_bytes > found_bytes {
            return Err(ReadError::Cut {
                expected_bytes,
                found_bytes,
            });
        }
        Ok(Self { file, meta })
    }

    /// Bytes of the data, without what may be appended to the file.
    pub fn data_bytes(&self) -> u64 {
        self.meta.high_water * u64::from(self.meta.page_bytes)
    }

    /// All buckets in order of their names.
    pub fn buckets(&self) -> Result<Vec<(Bytes, Bucket)>, ReadError> {
        let mut walk = Walk::new(self, self.meta.root)?;
        let mut buckets = Vec::new();
        while let Some((page, entry)) = walk.next_entry()? {
            if entry.flags != IS_BUCKET {
                return Err(ReadError::Damaged {
                    page,
                    why: "a plain entry among the buckets",
                });
            }
            buckets.push((entry.key, parse_bucket(page, &entry.value)?));
        }
        Ok(buckets)
    }

    /// Keys and values in strictly ascending order of keys.
    pub fn entries(&self, bucket: &Bucket) -> Result<Entries<'_>, ReadError> {
        let walk = match bucket {
            Bucket::Paged(root) => Walk::new(self, *root)?,
            Bucket::Inline(bytes) => Walk::inline(self, bytes.clone())?,
        };
        Ok(Entries {
            walk,
            last_key: None,
            failed: false,
        })
    }

    /// The page with its overflow, and how many pages that is.
    fn page(&self, id: u64) -> Result<(Page, u64), ReadError> {
        let damaged = |why| ReadError::Damaged { page: id, why };
        if id < 2 || id >= self.meta.high_water {
            return Err(damaged("it lies outside of the file"));
        }
        let page_bytes = u64::from(self.meta.page_bytes);
        let mut header = [0; PAGE_HEADER_BYTES];
        self.file.read_exact_at(&mut header, id * page_bytes)?;
        let header = PageHeader::decode(&header).ok_or_else(|| damaged("its header is cut"))?;
        let pages = u64::from(header.overflow) + 1;
        if header.id != id || pages > self.meta.high_water - id {
            return Err(damaged("its header is wrong"));
        }
        let mut bytes = vec![0; (pages * page_bytes) as usize];
        self.file.read_exact_at(&mut bytes, id * page_bytes)?;
        let page = Page::parse(bytes.into()).ok_or_else(|| damaged("it is neither a branch nor a leaf"))?;
        Ok((page, pages))
    }
}

fn parse_bucket(page: u64, value: &Bytes) -> Result<Bucket, ReadError> {
    match u64_at(value, 0) {
        Some(0) if value.len() >= BUCKET_HEADER_BYTES => Ok(Bucket::Inline(value.slice(BUCKET_HEADER_BYTES..))),
        Some(root) if root != 0 && value.len() >= BUCKET_HEADER_BYTES => Ok(Bucket::Paged(root)),
        _ => Err(ReadError::Damaged {
            page,
            why: "a bucket's header is cut",
        }),
    }
}

/// The first meta page is at 0; where the second is depends on the page size, which only a valid one tells.
fn newest_meta(file: &File) -> Result<Meta, ReadError> {
    let first = read_meta(file, 0)?;
    let sizes = PAGE_BYTES_POSSIBLE
        .iter()
        .filter(|size| first.is_none_or(|first| first.page_bytes == **size));
    let mut newest = first.filter(|first| PAGE_BYTES_POSSIBLE.contains(&first.page_bytes));
    for size in sizes {
        let found = read_meta(file, u64::from(*size))?.filter(|found| found.page_bytes == *size);
        newest = newest.into_iter().chain(found).max_by_key(|meta| meta.txid);
    }
    newest.ok_or(ReadError::NoMeta)
}

fn read_meta(file: &File, at: u64) -> Result<Option<Meta>, ReadError> {
    let mut bytes = [0; META_BYTES];
    match file.read_exact_at(&mut bytes, at + PAGE_HEADER_BYTES as u64) {
        Ok(()) => Ok(Meta::decode(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A walk over the leaves of one tree, from left to right.
struct Walk<'a> {
    reader: &'a Reader,
    /// The pages from the root down to the one being read, and the next element of each.
    path: Vec<(u64, Page, u16)>,
    /// No page belongs to a tree twice, so a walk that meets more pages than the file has goes in circles.
    pages_left: u64,
}

impl<'a> Walk<'a> {
    fn new(reader: &'a Reader, root: u64) -> Result<Self, ReadError> {
        let mut walk = Self {
            reader,
            path: Vec::new(),
            pages_left: reader.meta.high_water,
        };
        walk.descend(root)?;
        Ok(walk)
    }

    fn inline(reader: &'a Reader, bytes: Bytes) -> Result<Self, ReadError> {
        let damaged = ReadError::Damaged {
            page: 0,
            why: "an inline bucket is no leaf",
        };
        let page = Page::parse(bytes).filter(Page::is_leaf).ok_or(damaged)?;
        Ok(Self {
            reader,
            path: vec![(0, page, 0)],
            pages_left: 0,
        })
    }

    fn descend(&mut self, id: u64) -> Result<(), ReadError> {
        let (page, pages) = self.reader.page(id)?;
        let circle = ReadError::Damaged {
            page: id,
            why: "it is part of the tree twice",
        };
        self.pages_left = self.pages_left.checked_sub(pages).ok_or(circle)?;
        self.path.push((id, page, 0));
        Ok(())
    }

    /// The next entry and the page it is on.
    fn next_entry(&mut self) -> Result<Option<(u64, LeafEntry)>, ReadError> {
        while let Some((id, page, next)) = self.path.last_mut() {
            let (id, index) = (*id, *next);
            if index >= page.count() {
                self.path.pop();
                continue;
            }
            *next += 1;
            let damaged = ReadError::Damaged {
                page: id,
                why: "an element points outside of it",
            };
            if page.is_leaf() {
                return Ok(Some((id, page.entry(index).ok_or(damaged)?)));
            }
            let child = page.child(index).ok_or(damaged)?;
            self.descend(child)?;
        }
        Ok(None)
    }
}

/// The entries of a bucket. After an error there are no more.
pub struct Entries<'a> {
    walk: Walk<'a>,
    last_key: Option<Bytes>,
    failed: bool,
}

impl Entries<'_> {
    fn step(&mut self) -> Result<Option<(Bytes, Bytes)>, ReadError> {
        let Some((page, entry)) = self.walk.next_entry()? else {
            return Ok(None);
        };
        if entry.flags != 0 {
            return Err(ReadError::Damaged {
                page,
                why: "a bucket inside of a bucket",
            });
        }
        if self.last_key.as_ref().is_some_and(|last| *last >= entry.key) {
            return Err(ReadError::Damaged {
                page,
                why: "its keys are not in order",
            });
        }
        self.last_key = Some(entry.key.clone());
        Ok(Some((entry.key, entry.value)))
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<(Bytes, Bytes), ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let step = self.step();
        self.failed = step.is_err();
        step.transpose()
    }
}
