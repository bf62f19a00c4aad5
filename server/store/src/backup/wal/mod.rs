//! etcd's write-ahead log, as a stopped member has left it.
//!
//! Enters: the folder `member/wal` and how far the database beside it reaches. Leaves: whose log it is, what was
//! committed, and the entries that the database lacks, one after the other. Always holds: every record was checked
//! against the chain of checksums; a write cut short is taken for one at the very end only; memory holds the places
//! of the entries that are lacking and one record.

mod error;
mod format;
mod segment;

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use prost::Message;

pub use error::WalError;
pub use format::{ADD, ADD_LEARNER, ConfigurationChange, Metadata, REMOVE};

use crate::Position;
use format::{CHECKSUM, ENTRY, HardState, METADATA, RaftEntry, Record, SNAPSHOT, STATE, SnapshotMark};
use segment::{End, Segment, io_error};

/// What is known of a log after it was read once.
#[derive(Debug)]
pub struct EtcdLog {
    segments: Vec<PathBuf>,
    pub owner: Metadata,
    /// Entries up to here are known to be committed.
    pub commit: u64,
    /// The newest raft snapshot that the log speaks of.
    pub snapshot: Position,
    /// The last entry.
    pub last: Position,
    /// File and offset where the last write was cut short.
    pub torn: Option<(PathBuf, u64)>,
    applied: u64,
    /// Segment and offset of each entry after `applied`.
    places: VecDeque<(usize, u64)>,
}

/// One entry that the database lacks.
#[derive(Debug, Clone, PartialEq)]
pub struct EtcdEntry {
    pub position: Position,
    pub content: EtcdContent,
}

#[derive(Debug, Clone, PartialEq)]
pub enum EtcdContent {
    Request(Bytes),
    Configuration(ConfigurationChange),
}

impl EtcdLog {
    /// Reads the whole log. Entries up to `applied` are not looked at again.
    pub fn open(dir: &Path, applied: u64) -> Result<Self, WalError> {
        let mut log = Self {
            segments: segments(dir)?,
            owner: Metadata::default(),
            commit: 0,
            snapshot: Position::default(),
            last: Position::default(),
            torn: None,
            applied,
            places: VecDeque::new(),
        };
        let mut checksum = 0;
        for number in 0..log.segments.len() {
            checksum = log.scan(number, checksum)?;
        }
        let (last, expected) = (log.last.index.max(log.snapshot.index), log.commit.max(applied));
        if last < expected {
            return Err(WalError::Short { last, expected });
        }
        Ok(log)
    }

    fn scan(&mut self, number: usize, checksum: u32) -> Result<u32, WalError> {
        let path = self.segments[number].clone();
        let mut segment = Segment::open(&path, checksum, number + 1 == self.segments.len())?;
        loop {
            match segment.next()? {
                Err(End::Whole) => return Ok(segment.checksum),
                Err(End::Torn(at)) => {
                    self.torn = Some((path, at));
                    return Ok(segment.checksum);
                }
                Ok((offset, record)) => match self.take(number, offset, &record) {
                    Some(taken) => taken?,
                    None => return Err(segment.damaged(offset, "it is none that etcd writes")),
                },
            }
        }
    }

    /// None if the record is malformed.
    fn take(&mut self, number: usize, offset: u64, record: &Record) -> Option<Result<(), WalError>> {
        let data = record.data.clone().unwrap_or_default();
        match record.kind {
            METADATA => self.owner = Metadata::decode(data).ok()?,
            STATE => self.commit = HardState::decode(data).ok()?.commit,
            SNAPSHOT => {
                let SnapshotMark { index, term } = SnapshotMark::decode(data).ok()?;
                self.snapshot = self.snapshot.max(Position { term, index });
            }
            ENTRY => {
                let RaftEntry { index, term, .. } = RaftEntry::decode(data).ok()?;
                return Some(self.place(Position { term, index }, (number, offset)));
            }
            CHECKSUM => {}
            _ => return None,
        }
        Some(Ok(()))
    }

    /// An entry takes the place of those from its index on, which were never committed.
    fn place(&mut self, position: Position, place: (usize, u64)) -> Result<(), WalError> {
        self.last = position;
        let Some(before) = position.index.checked_sub(self.applied + 1) else {
            return Ok(());
        };
        if before > self.places.len() as u64 {
            return Err(WalError::Gap {
                first: position.index,
                applied: self.applied + self.places.len() as u64,
            });
        }
        self.places.truncate(before as usize);
        self.places.push_back(place);
        Ok(())
    }

    /// What the database lacks, up to and including `last_index`.
    pub fn entries(&self, last_index: u64) -> impl Iterator<Item = Result<EtcdEntry, WalError>> + '_ {
        let count = last_index.saturating_sub(self.applied);
        let places = self.places.iter().take(usize::try_from(count).unwrap_or(usize::MAX));
        places.map(|(number, offset)| self.entry(&self.segments[*number], *offset))
    }

    fn entry(&self, path: &Path, offset: u64) -> Result<EtcdEntry, WalError> {
        let damaged = |why: &str| WalError::Damaged {
            file: path.to_path_buf(),
            offset,
            why: why.to_owned(),
        };
        let data = read_frame(path, offset).map_err(|source| io_error(path, source))?;
        let record = Record::decode(data).map_err(|_| damaged("it has changed"))?;
        let entry = RaftEntry::decode(record.data.unwrap_or_default()).map_err(|_| damaged("it has changed"))?;
        let content = match entry.kind {
            format::NORMAL => EtcdContent::Request(entry.data),
            format::CONFIGURATION => EtcdContent::Configuration(
                ConfigurationChange::decode(entry.data).map_err(|_| damaged("a change of members is malformed"))?,
            ),
            format::CONFIGURATION_V2 => return Err(damaged("a joint change of members, which etcd does not make")),
            _ => return Err(damaged("an entry of unknown kind")),
        };
        let position = Position {
            term: entry.term,
            index: entry.index,
        };
        Ok(EtcdEntry { position, content })
    }
}

fn read_frame(path: &Path, offset: u64) -> std::io::Result<Bytes> {
    use std::os::unix::fs::FileExt;
    let file = fs::File::open(path)?;
    let mut length = [0; format::FRAME_BYTES as usize];
    file.read_exact_at(&mut length, offset)?;
    let (bytes, _) = format::frame(length).ok_or(std::io::ErrorKind::InvalidData)?;
    let mut data = vec![0; bytes.min(file.metadata()?.len()) as usize];
    file.read_exact_at(&mut data, offset + format::FRAME_BYTES)?;
    Ok(data.into())
}

/// In order and without a hole.
fn segments(dir: &Path) -> Result<Vec<PathBuf>, WalError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(|source| io_error(dir, source))? {
        let name = entry.map_err(|source| io_error(dir, source))?.file_name();
        let name = name.to_string_lossy().into_owned();
        found.extend(format::segment(&name).map(|(sequence, _)| (sequence, dir.join(name))));
    }
    found.sort();
    if let Some(pair) = found.windows(2).find(|pair| pair[0].0 + 1 != pair[1].0) {
        return Err(WalError::Missing(pair[1].1.clone()));
    }
    if found.is_empty() {
        return Err(WalError::None(dir.to_path_buf()));
    }
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

#[cfg(test)]
mod tests;
