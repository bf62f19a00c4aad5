//! The bytes of a bbolt file: page headers, elements, meta pages. No other file knows an offset.
//!
//! ```text
//! page    id u64 | flags u16 | count u16 | overflow u32 | elements | keys and values
//! leaf    flags u32 | pos u32 | key bytes u32 | value bytes u32        pos counts from the element itself
//! branch  pos u32 | key bytes u32 | page u64
//! meta    magic u32 | version u32 | page bytes u32 | flags u32 | root u64 | sequence u64 | freelist u64
//!         | high water u64 | txid u64 | FNV-1a of all before u64
//! bucket  root page u64 | sequence u64 [| the page itself, if root is 0: an inline bucket]
//! ```
//! All numbers are little endian.

/// What this crate writes; files of machines with other page sizes are read as well.
pub const PAGE_BYTES: usize = 4096;
pub const PAGE_HEADER_BYTES: usize = 16;
pub const ELEMENT_BYTES: usize = 16;
pub const BUCKET_HEADER_BYTES: usize = 16;
pub const META_BYTES: usize = 64;
/// bbolt refuses longer keys.
pub const KEY_BYTES_MAX: usize = 32768;
/// bbolt refuses longer values.
pub const VALUE_BYTES_MAX: usize = (1 << 31) - 2;
/// Page sizes that a meta page is looked for at, smallest first.
pub const PAGE_BYTES_POSSIBLE: [u32; 7] = [1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15, 1 << 16];

pub const BRANCH: u16 = 0x01;
pub const LEAF: u16 = 0x02;
const META: u16 = 0x04;
/// Flag of a leaf element whose value is a bucket.
pub const IS_BUCKET: u32 = 0x01;

const MAGIC: u32 = 0xED0C_DAED;
const VERSION: u32 = 2;
/// etcd never keeps the freelist on disk, so that is what its tools expect to meet.
const NO_FREELIST: u64 = u64::MAX;

pub fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..)?.first_chunk().copied()?))
}
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..)?.first_chunk().copied()?))
}
pub fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..)?.first_chunk().copied()?))
}

/// The start of every page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageHeader {
    pub id: u64,
    pub flags: u16,
    pub count: u16,
    /// How many pages follow that belong to this one.
    pub overflow: u32,
}

impl PageHeader {
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.to_le_bytes());
        out.extend_from_slice(&self.flags.to_le_bytes());
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&self.overflow.to_le_bytes());
    }
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            id: u64_at(bytes, 0)?,
            flags: u16_at(bytes, 8)?,
            count: u16_at(bytes, 10)?,
            overflow: u32_at(bytes, 12)?,
        })
    }
}

/// What a meta page says of the whole file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    pub page_bytes: u32,
    /// Page of the bucket of all buckets.
    pub root: u64,
    /// The first page that does not exist.
    pub high_water: u64,
    pub txid: u64,
}

impl Meta {
    /// A whole page; which of the two it is follows from the transaction id.
    pub fn encode_page(&self) -> Vec<u8> {
        let mut page = Vec::with_capacity(PAGE_BYTES);
        PageHeader {
            id: self.txid % 2,
            flags: META,
            count: 0,
            overflow: 0,
        }
        .encode(&mut page);
        for word in [MAGIC, VERSION, self.page_bytes, 0] {
            page.extend_from_slice(&word.to_le_bytes());
        }
        for word in [self.root, 0, NO_FREELIST, self.high_water, self.txid] {
            page.extend_from_slice(&word.to_le_bytes());
        }
        let checksum = fnv1a(&page[PAGE_HEADER_BYTES..]);
        page.extend_from_slice(&checksum.to_le_bytes());
        page.resize(PAGE_BYTES, 0);
        page
    }

    /// `bytes` is the part after the page header. None if this is no meta page or a torn one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let checked = bytes.get(..META_BYTES - 8)?;
        if u32_at(bytes, 0)? != MAGIC || u32_at(bytes, 4)? != VERSION || u64_at(bytes, 56)? != fnv1a(checked) {
            return None;
        }
        Some(Self {
            page_bytes: u32_at(bytes, 8)?,
            root: u64_at(bytes, 16)?,
            high_water: u64_at(bytes, 40)?,
            txid: u64_at(bytes, 48)?,
        })
    }
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The value under a bucket's name, when its root is a page of its own.
pub fn encode_bucket(root: u64) -> Vec<u8> {
    let mut value = Vec::with_capacity(BUCKET_HEADER_BYTES);
    value.extend_from_slice(&root.to_le_bytes());
    value.extend_from_slice(&0u64.to_le_bytes());
    value
}
