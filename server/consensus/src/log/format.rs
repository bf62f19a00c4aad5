//! The bytes of a segment file, little endian.
//!
//! A segment is a header and then batches; a batch is the records that one write and one fsync covered. A record is
//! a header, a payload and zeroes up to the next multiple of eight. Two checksums guard each record:
//! - `head` continues the chain from the record before, so that nothing can be lost, repeated or reordered;
//! - `body` stands alone, salted with the segment's sequence number, so that a record can be recognised behind a
//!   broken one.
//!
//! Numbers of kinds and flags are never reused.

use crc32c::{crc32c, crc32c_append};

pub const SEGMENT_HEADER_BYTES: usize = 64;
pub const RECORD_HEADER_BYTES: usize = 40;
pub const FORMAT_VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"TaffrLog";
const ALIGN_BYTES: usize = 8;

/// Where a segment begins in the sequence of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    pub sequence: u64,
    /// Length of the file; a shorter one has been cut.
    pub bytes: u64,
    /// Checksum chain before the first record.
    pub chain: u32,
    /// Number of the first batch.
    pub batch: u64,
    /// Term and index of the last entry before this segment.
    pub last_term: u64,
    pub last_index: u64,
}

pub enum HeaderError {
    Newer(u32),
    Damaged,
}

impl SegmentHeader {
    pub fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut out = [0; SEGMENT_HEADER_BYTES];
        out[..8].copy_from_slice(MAGIC);
        out[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        out[12..16].copy_from_slice(&self.chain.to_le_bytes());
        let words = [self.sequence, self.bytes, self.batch, self.last_term, self.last_index];
        for (place, word) in out[16..56].chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        let crc = crc32c(&out[..60]);
        out[60..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        if bytes.len() < SEGMENT_HEADER_BYTES || &bytes[..8] != MAGIC || crc32c(&bytes[..60]) != u32_at(bytes, 60) {
            return Err(HeaderError::Damaged);
        }
        match u32_at(bytes, 8) {
            FORMAT_VERSION => Ok(Self {
                chain: u32_at(bytes, 12),
                sequence: u64_at(bytes, 16),
                bytes: u64_at(bytes, 24),
                batch: u64_at(bytes, 32),
                last_term: u64_at(bytes, 40),
                last_index: u64_at(bytes, 48),
            }),
            newer => Err(HeaderError::Newer(newer)),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// `term` and, as `index`, the candidate voted for.
    Ballot = 1,
    Blank = 2,
    Request = 3,
    Membership = 4,
    /// Entries after `index` are void.
    Truncate = 5,
    /// Entries up to `index` are covered by a raft snapshot.
    Purge = 6,
    /// Entries up to `index` are committed. A hint: written with the next batch, never waited for.
    Committed = 7,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Kind> {
        use Kind::*;
        [Ballot, Blank, Request, Membership, Truncate, Purge, Committed]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

/// The last record of its batch.
const FLAG_END: u8 = 1;
/// A ballot that a quorum agreed to.
const FLAG_COMMITTED: u8 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    pub kind: Kind,
    pub end: bool,
    pub committed: bool,
    pub batch: u64,
    pub term: u64,
    pub index: u64,
    pub payload_bytes: usize,
}

/// Bytes of a record with its header and padding.
pub fn record_bytes(payload_bytes: usize) -> usize {
    RECORD_HEADER_BYTES + payload_bytes.next_multiple_of(ALIGN_BYTES)
}

/// Makes the checksums of records in different segments differ.
pub fn salt(sequence: u64) -> u32 {
    crc32c(&sequence.to_le_bytes())
}

impl Record {
    /// Appends the record; returns the chain after it.
    pub fn encode(&self, payload: &[u8], chain: u32, salt: u32, out: &mut Vec<u8>) -> u32 {
        debug_assert_eq!(payload.len(), self.payload_bytes);
        let mut header = [0; RECORD_HEADER_BYTES];
        header[..4].copy_from_slice(&(self.payload_bytes as u32).to_le_bytes());
        header[4] = self.kind as u8;
        header[5] = if self.end { FLAG_END } else { 0 } | if self.committed { FLAG_COMMITTED } else { 0 };
        header[8..16].copy_from_slice(&self.batch.to_le_bytes());
        header[16..24].copy_from_slice(&self.term.to_le_bytes());
        header[24..32].copy_from_slice(&self.index.to_le_bytes());
        let head = crc32c_append(chain, &header[..32]);
        header[32..36].copy_from_slice(&head.to_le_bytes());
        let body = crc32c_append(crc32c_append(salt, &header[..36]), payload);
        header[36..].copy_from_slice(&body.to_le_bytes());
        out.extend_from_slice(&header);
        out.extend_from_slice(payload);
        out.resize(out.len().next_multiple_of(ALIGN_BYTES), 0);
        body
    }

    /// Reads a header without checking anything but that it makes sense.
    pub fn peek(header: &[u8]) -> Option<Record> {
        let flags = *header.get(5)?;
        if header.len() < RECORD_HEADER_BYTES || flags & !(FLAG_END | FLAG_COMMITTED) != 0 || header[6..8] != [0, 0] {
            return None;
        }
        Some(Record {
            kind: Kind::from_byte(header[4])?,
            end: flags & FLAG_END != 0,
            committed: flags & FLAG_COMMITTED != 0,
            batch: u64_at(header, 8),
            term: u64_at(header, 16),
            index: u64_at(header, 24),
            payload_bytes: u32_at(header, 0) as usize,
        })
    }
}

/// Whether this header continues the chain.
pub fn head_is_right(header: &[u8], chain: u32) -> bool {
    header.len() >= RECORD_HEADER_BYTES && crc32c_append(chain, &header[..32]) == u32_at(header, 32)
}

/// Whether header and payload belong together and to this segment.
pub fn body_is_right(header: &[u8], payload: &[u8], salt: u32) -> bool {
    crc32c_append(crc32c_append(salt, &header[..36]), payload) == body_of(header)
}

/// The chain after the record with this header.
pub fn body_of(header: &[u8]) -> u32 {
    u32_at(header, 36)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
