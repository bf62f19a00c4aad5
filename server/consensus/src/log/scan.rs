//! Walks the batches of one segment.

use bytes::Bytes;

use super::format::{self, RECORD_HEADER_BYTES, Record, SEGMENT_HEADER_BYTES, SegmentHeader};
use super::tail::Spot;

/// A walk over a segment whose header is right. Gives whole batches: the records of one that lacks its end were
/// never called durable.
pub struct Scan {
    segment: Bytes,
    salt: u32,
    /// Where the last whole batch ended.
    pub end: usize,
    /// Checksum chain there.
    pub chain: u32,
    /// Number of the last whole batch.
    pub batch: u64,
    /// The first record that is not right.
    bad: usize,
    claimed_end: usize,
}

/// A record, its offset and its payload.
pub type Found = (Record, u64, Bytes);

impl Scan {
    pub fn new(segment: Bytes, header: &SegmentHeader) -> Self {
        Self {
            segment,
            salt: format::salt(header.sequence),
            end: SEGMENT_HEADER_BYTES,
            chain: header.chain,
            batch: header.batch - 1,
            bad: SEGMENT_HEADER_BYTES,
            claimed_end: 0,
        }
    }

    /// The records of the next whole batch.
    pub fn next_batch(&mut self) -> Option<Vec<Found>> {
        let mut records = Vec::new();
        let (mut at, mut chain) = (self.end, self.chain);
        loop {
            self.bad = at;
            let (found, body) = self.record(at, chain)?;
            at += format::record_bytes(found.0.payload_bytes);
            chain = body;
            let end = found.0.end;
            records.push(found);
            if end {
                (self.end, self.chain, self.batch) = (at, chain, self.batch + 1);
                return Some(records);
            }
        }
    }

    /// What stopped the walk.
    pub fn spot(&self) -> Spot {
        Spot {
            at: self.bad,
            claimed_end: self.claimed_end,
            batch: self.batch + 1,
            salt: self.salt,
        }
    }

    fn record(&mut self, at: usize, chain: u32) -> Option<(Found, u32)> {
        self.claimed_end = at + RECORD_HEADER_BYTES;
        let header = self.segment.get(at..at + RECORD_HEADER_BYTES)?;
        let record = Record::peek(header).filter(|_| format::head_is_right(header, chain))?;
        self.claimed_end = at + RECORD_HEADER_BYTES + record.payload_bytes;
        let payload = at + RECORD_HEADER_BYTES..self.claimed_end;
        let right = format::body_is_right(header, self.segment.get(payload.clone())?, self.salt);
        let body = format::body_of(header);
        (right && record.batch == self.batch + 1).then(|| ((record, at as u64, self.segment.slice(payload)), body))
    }
}
