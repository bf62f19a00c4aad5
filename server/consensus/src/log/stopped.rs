//! The log of a stopped member, read and never changed.
//!
//! Recovery is the one of a start, so what is refused here is what a start would refuse; what it would mend is only
//! noted.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use taffrail_store::{Entry, Position};

use super::disk::Disk;
use super::error::OpenLogError;
use super::format::{Kind, SegmentHeader};
use super::memory::Memory;
use super::read_only::ReadOnlyDisk;
use super::recover::{recover, sequences};
use super::scan::{Found, Scan};
use super::segments::name;
use super::window::entry;
use super::{Ballot, LogOptions};
use crate::recorder::NoRecorder;

/// A log that a start would accept.
pub struct StoppedLog {
    memory: Memory,
    summary: LogSummary,
}

/// What stands in a log altogether.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogSummary {
    pub vote: Option<LoggedVote>,
    pub first_index: u64,
    pub last: Position,
    /// Entries up to here are known to be committed; the log hears of it a little late.
    pub committed: Position,
    pub purged: Position,
    pub segments: usize,
    pub bytes: u64,
    /// File, and the stretch of bytes, of a last write that was cut short. A start drops it.
    pub cut: Option<(String, Range<u64>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoggedVote {
    pub term: u64,
    pub voted_for: u64,
    /// A quorum agreed.
    pub committed: bool,
}

/// One record of the log.
#[derive(Debug, Clone)]
pub enum Logged {
    Vote(LoggedVote),
    Entry(Entry),
    /// Entries after this one are void.
    Truncated(Position),
    /// A raft snapshot covers entries up to this one.
    Purged(Position),
    /// Entries up to this one are committed.
    Committed(Position),
}

impl StoppedLog {
    /// A folder that is not there is an empty log: that of a member restored from a snapshot and never started.
    pub fn open(folder: &Path) -> Result<Self, OpenLogError> {
        let disk = Arc::new(ReadOnlyDisk::new(folder));
        let mut options = LogOptions::new(Arc::new(NoRecorder));
        options.recent_bytes_max = 0;
        let shared: Arc<dyn Disk> = disk.clone();
        let recovered = recover(&shared, &options)?;
        let memory = recovered.memory;
        let bytes = recovered.segments.iter().map(|segment| segment.file.bytes());
        let summary = LogSummary {
            vote: memory.ballot.map(LoggedVote::from),
            first_index: memory.first_index(),
            last: memory.last,
            committed: memory.committed,
            purged: memory.purged,
            segments: recovered.segments.len(),
            bytes: bytes.sum::<io::Result<u64>>().map_err(|source| OpenLogError::Io {
                file: disk.describe(""),
                source,
            })?,
            cut: disk.mended(),
        };
        Ok(Self { memory, summary })
    }

    pub fn summary(&self) -> &LogSummary {
        &self.summary
    }

    /// The entries that stand, in order; at least one if there is one in the range, and no more bytes than so.
    pub fn read(&self, range: Range<u64>, bytes_max: usize) -> io::Result<Vec<Entry>> {
        self.memory.plan(range, bytes_max).read()
    }

    /// Whether a state that reaches so far belongs to this log, by the rules of a start.
    pub fn fits(&self, applied: Position, installed: Option<Position>) -> Result<(), String> {
        let LogSummary { first_index, last, .. } = self.summary;
        if installed == Some(applied) && last.index < applied.index {
            return Ok(());
        }
        let range = applied.index..applied.index + 1;
        let logged = self.read(range, 1).map_err(|error| error.to_string())?;
        crate::open::fits(first_index, last, applied, logged.first().map(|entry| entry.position))
    }

    /// Gives every record as it was written, void ones too, until the first damage.
    pub fn walk<E: From<OpenLogError>>(folder: &Path, mut each: impl FnMut(Logged) -> Result<(), E>) -> Result<(), E> {
        let disk: Arc<dyn Disk> = Arc::new(ReadOnlyDisk::new(folder));
        for sequence in sequences(&disk)? {
            let bytes = read_whole(&disk, sequence)?;
            let Ok(header) = SegmentHeader::decode(&bytes) else {
                continue;
            };
            let mut scan = Scan::new(bytes, &header);
            while let Some(records) = scan.next_batch() {
                records.into_iter().filter_map(logged).try_for_each(&mut each)?;
            }
        }
        // Says what is wrong if the walk has ended early.
        Ok(StoppedLog::open(folder).map(drop)?)
    }
}

impl From<Ballot> for LoggedVote {
    fn from(ballot: Ballot) -> Self {
        let Ballot {
            term,
            voted_for,
            committed,
        } = ballot;
        Self {
            term,
            voted_for,
            committed,
        }
    }
}

fn read_whole(disk: &Arc<dyn Disk>, sequence: u64) -> Result<Bytes, OpenLogError> {
    let name = name(sequence);
    let read = || -> io::Result<Bytes> {
        let file = disk.open(&name)?;
        let mut bytes = vec![0; file.bytes()? as usize];
        file.read_at(&mut bytes, 0)?;
        Ok(bytes.into())
    };
    read().map_err(|source| OpenLogError::Io {
        file: disk.describe(&name),
        source,
    })
}

fn logged((record, _, payload): Found) -> Option<Logged> {
    let position = Position {
        term: record.term,
        index: record.index,
    };
    Some(match record.kind {
        Kind::Ballot => Logged::Vote(LoggedVote {
            term: record.term,
            voted_for: record.index,
            committed: record.committed,
        }),
        Kind::Truncate => Logged::Truncated(position),
        Kind::Purge => Logged::Purged(position),
        Kind::Committed => Logged::Committed(position),
        Kind::Blank | Kind::Request | Kind::Membership => Logged::Entry(entry(&record, payload)?),
    })
}
