//! A bad record: a write that the crash cut short, or damage?
//!
//! The writer starts a batch only after the fsync of the one before, so a record of a *later* batch behind a bad one
//! proves that the bad one was durable once: damage. Otherwise the bad batch was the last, and may have been called
//! durable or not. Files are filled with zeroes beforehand and disks write whole sectors, so a write cut short
//! leaves at least one sector of zeroes within what it should have covered; if there is none, every sector was
//! written and the bytes have changed since: damage too.

use super::format::{self, RECORD_HEADER_BYTES, Record};

const SECTOR_BYTES: usize = 512;
const ALIGN_BYTES: usize = 8;

/// The bad spot.
pub struct Spot {
    /// Offset of the first record that is not right.
    pub at: usize,
    /// Where its record would end, as far as its header can be believed.
    pub claimed_end: usize,
    /// The batch it would be part of.
    pub batch: u64,
    pub salt: u32,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was ever written here.
    Unwritten,
    /// A write was cut short; bytes up to here are not zero.
    Torn {
        end: usize,
    },
    Damaged(String),
}

pub fn judge(segment: &[u8], spot: &Spot) -> Verdict {
    let written_end = written_end(segment, spot.at);
    if written_end == spot.at {
        return Verdict::Unwritten;
    }
    if let Some(offset) = later_record(&segment[..written_end], spot) {
        return Verdict::Damaged(format!(
            "a record that cannot be read is followed by a later one at byte {offset}"
        ));
    }
    let covered = written_end.max(spot.claimed_end).min(segment.len());
    if has_zero_sector(&segment[spot.at..covered], spot.at) {
        Verdict::Torn { end: written_end }
    } else {
        Verdict::Damaged("the record was written whole and has changed since".into())
    }
}

/// The end of the last byte that is not zero.
fn written_end(segment: &[u8], from: usize) -> usize {
    let mut end = segment.len();
    while end > from && end - from >= SECTOR_BYTES && segment[end - SECTOR_BYTES..end] == [0; SECTOR_BYTES] {
        end -= SECTOR_BYTES;
    }
    segment[from..end]
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(from, |last| from + last + 1)
}

fn later_record(written: &[u8], spot: &Spot) -> Option<usize> {
    let first = (spot.at + 1).next_multiple_of(ALIGN_BYTES);
    (first..written.len().saturating_sub(RECORD_HEADER_BYTES - 1))
        .step_by(ALIGN_BYTES)
        .find(|offset| {
            let (header, rest) = written[*offset..].split_at(RECORD_HEADER_BYTES);
            Record::peek(header)
                .filter(|record| record.batch > spot.batch)
                .and_then(|record| rest.get(..record.payload_bytes))
                .is_some_and(|payload| format::body_is_right(header, payload, spot.salt))
        })
}

/// `bytes` begin at `offset` of the file; the sectors are the file's.
fn has_zero_sector(bytes: &[u8], offset: usize) -> bool {
    let (first, rest) = bytes.split_at((SECTOR_BYTES - offset % SECTOR_BYTES).min(bytes.len()));
    std::iter::once(first)
        .chain(rest.chunks(SECTOR_BYTES))
        .any(|sector| !sector.is_empty() && is_zero(sector))
}

pub fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}
