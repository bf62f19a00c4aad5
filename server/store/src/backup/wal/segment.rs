//! Walks the records of one segment file, one after the other.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use prost::Message;

use super::error::WalError;
use super::format::{CHECKSUM, FRAME_BYTES, METADATA, Record, SNAPSHOT, frame};

const SECTOR_BYTES: u64 = 512;

/// A walk; it holds one record at a time.
pub struct Segment {
    path: PathBuf,
    file: BufReader<File>,
    bytes: u64,
    at: u64,
    /// Only there may a write have been cut short.
    is_last: bool,
    pub checksum: u32,
}

/// Where the records of a segment end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Whole,
    /// A write was cut short here.
    Torn(u64),
}

/// A record and where its frame begins.
pub type Found = (u64, Record);

impl Segment {
    /// `checksum` is that of all records of the segments before.
    pub fn open(path: &Path, checksum: u32, is_last: bool) -> Result<Self, WalError> {
        let open = || -> io::Result<(File, u64)> {
            let file = File::open(path)?;
            let bytes = file.metadata()?.len();
            Ok((file, bytes))
        };
        let (file, bytes) = open().map_err(|source| io_error(path, source))?;
        Ok(Self {
            path: path.to_path_buf(),
            file: BufReader::new(file),
            bytes,
            at: 0,
            is_last,
            checksum,
        })
    }

    /// The next record, or how they end.
    pub fn next(&mut self) -> Result<Result<Found, End>, WalError> {
        let offset = self.at;
        if self.bytes - offset < FRAME_BYTES {
            return Ok(Err(End::Whole));
        }
        let mut length = [0; FRAME_BYTES as usize];
        self.read(&mut length)?;
        let Some((record_bytes, padding_bytes)) = frame(length) else {
            return Ok(Err(End::Whole));
        };
        let frame_bytes = FRAME_BYTES.saturating_add(record_bytes).saturating_add(padding_bytes);
        if frame_bytes > self.bytes - offset {
            return self.bad(offset, None, "it is longer than the file");
        }
        let mut data = vec![0; (record_bytes + padding_bytes) as usize];
        self.read(&mut data)?;
        self.at += frame_bytes;
        let data = Bytes::from(data);
        match Record::decode(data.slice(..record_bytes as usize)) {
            Err(_) => self.bad(offset, Some(&data), "it cannot be decoded"),
            Ok(record) if self.continues(&record) => Ok(Ok((offset, record))),
            Ok(_) => self.bad(offset, Some(&data), "its checksum is wrong"),
        }
    }

    /// Where the sequence of checksums starts nothing can be compared.
    fn continues(&mut self, record: &Record) -> bool {
        let is_start = record.kind == CHECKSUM && self.checksum == 0;
        if is_start {
            self.checksum = record.checksum;
        } else if record.kind != CHECKSUM {
            self.checksum = crc32c::crc32c_append(self.checksum, record.data.as_deref().unwrap_or_default());
        }
        self.checksum == record.checksum
    }

    /// The same judgement as etcd's: sectors that are still empty show that the write was cut short.
    fn bad(&self, offset: u64, data: Option<&[u8]>, why: &str) -> Result<Result<Found, End>, WalError> {
        let torn = data.is_none_or(|data| has_empty_sector(data, offset + FRAME_BYTES));
        if !self.is_last || !torn {
            return Err(self.damaged(offset, why));
        }
        match self.later_record(offset)? {
            None => Ok(Err(End::Torn(offset))),
            Some(later) => Err(self.damaged(offset, &format!("{why}, and a later record is at byte {later}"))),
        }
    }

    /// Behind a write that was cut short nothing was written; etcd itself would cut the log here all the same.
    fn later_record(&self, offset: u64) -> Result<Option<u64>, WalError> {
        let from = offset + FRAME_BYTES;
        let mut rest = vec![0; self.bytes.saturating_sub(from) as usize];
        let file = self.file.get_ref();
        file.read_exact_at(&mut rest, from)
            .map_err(|source| io_error(&self.path, source))?;
        let written = rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let mut places = (0..written).step_by(FRAME_BYTES as usize);
        let later = places.find(|at| looks_like_record(&rest[*at..]));
        Ok(later.map(|at| from + at as u64))
    }

    pub fn damaged(&self, offset: u64, why: &str) -> WalError {
        WalError::Damaged {
            file: self.path.clone(),
            offset,
            why: why.to_owned(),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<(), WalError> {
        self.file
            .read_exact(buffer)
            .map_err(|source| io_error(&self.path, source))
    }
}

pub fn io_error(path: &Path, source: io::Error) -> WalError {
    WalError::Io {
        file: path.to_path_buf(),
        source,
    }
}

/// A frame of a possible length around a record of a known kind.
fn looks_like_record(bytes: &[u8]) -> bool {
    let Some((head, rest)) = bytes.split_first_chunk() else {
        return false;
    };
    let Some((record_bytes, padding_bytes)) = frame(*head) else {
        return false;
    };
    let is_aligned = record_bytes.wrapping_add(padding_bytes) % FRAME_BYTES == 0;
    let record = usize::try_from(record_bytes).ok().and_then(|bytes| rest.get(..bytes));
    let record = record.filter(|_| is_aligned).map(Record::decode);
    matches!(record, Some(Ok(record)) if (METADATA..=SNAPSHOT).contains(&record.kind) && record.checksum != 0)
}

/// `data` begins at `offset` of the file; the sectors are the file's.
fn has_empty_sector(data: &[u8], offset: u64) -> bool {
    let first = (SECTOR_BYTES - offset % SECTOR_BYTES).min(data.len() as u64) as usize;
    let (first, rest) = data.split_at(first);
    std::iter::once(first)
        .chain(rest.chunks(SECTOR_BYTES as usize))
        .any(|sector| !sector.is_empty() && sector.iter().all(|byte| *byte == 0))
}
