//! Reads entries back from segment files, many with one system call.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use taffrail_store::{Content, Entry, Position};

use super::disk::DiskFile;
use super::format::{self, Kind, RECORD_HEADER_BYTES, Record};
use super::memory::Place;

const READ_BYTES: u64 = 256 << 10;

/// A stretch of one segment.
#[derive(Default)]
pub struct Window {
    segment: u64,
    start: u64,
    bytes: Bytes,
}

impl Window {
    pub fn entry(&mut self, file: &Arc<dyn DiskFile>, place: Place, index: u64) -> io::Result<Entry> {
        let header = self.slice(file, place, RECORD_HEADER_BYTES)?;
        let record = Record::peek(&header).filter(|record| record.index == index);
        let record = record.ok_or_else(|| damaged(place, index))?;
        let whole = self.slice(file, place, RECORD_HEADER_BYTES + record.payload_bytes)?;
        let payload = whole.slice(RECORD_HEADER_BYTES..);
        if !format::body_is_right(&header, &payload, format::salt(place.segment)) {
            return Err(damaged(place, index));
        }
        entry(&record, payload).ok_or_else(|| damaged(place, index))
    }

    fn slice(&mut self, file: &Arc<dyn DiskFile>, place: Place, bytes: usize) -> io::Result<Bytes> {
        let inside = self.segment == place.segment
            && self.start <= place.offset
            && place.offset + bytes as u64 <= self.start + self.bytes.len() as u64;
        if !inside {
            self.fill(file, place, bytes as u64)?;
        }
        let from = (place.offset - self.start) as usize;
        Ok(self.bytes.slice(from..from + bytes))
    }

    fn fill(&mut self, file: &Arc<dyn DiskFile>, place: Place, bytes: u64) -> io::Result<()> {
        let left = file.bytes()?.saturating_sub(place.offset);
        let mut buffer = vec![0; bytes.max(READ_BYTES.min(left)) as usize];
        file.read_at(&mut buffer, place.offset)?;
        *self = Window {
            segment: place.segment,
            start: place.offset,
            bytes: buffer.into(),
        };
        Ok(())
    }
}

/// The entry in a record, if it is one.
pub fn entry(record: &Record, payload: Bytes) -> Option<Entry> {
    let content = match record.kind {
        Kind::Blank => Content::Blank,
        Kind::Request => Content::Request(payload),
        Kind::Membership => Content::Membership(payload),
        Kind::Ballot | Kind::Truncate | Kind::Purge | Kind::Committed => return None,
    };
    Some(Entry {
        position: Position {
            term: record.term,
            index: record.index,
        },
        content,
    })
}

fn damaged(place: Place, index: u64) -> io::Error {
    let Place { segment, offset } = place;
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("log segment {segment:016x} is damaged at byte {offset}: entry {index} cannot be read back"),
    )
}
