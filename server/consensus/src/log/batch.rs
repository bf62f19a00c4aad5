//! Commands to the writer, and the bytes that a batch of them becomes.

use std::io;

use taffrail_store::{Content, Entry, Position};

use super::format::{self, Kind, Record};
use super::memory::Place;
use super::{Ballot, payload};

/// Called once, on the writer's thread.
pub type Done = Box<dyn FnOnce(io::Result<()>) + Send>;

pub struct Command {
    pub content: Write,
    pub done: Done,
}

pub enum Write {
    Append {
        entries: Vec<Entry>,
        bytes: usize,
    },
    Ballot(Ballot),
    Truncate(Position),
    Purge(Position),
    /// Nothing of its own: done once everything before it is durable.
    Flush,
}

impl Write {
    /// Bytes on disk.
    pub fn bytes(&self) -> usize {
        match self {
            Write::Append { bytes, .. } => *bytes,
            Write::Ballot(_) | Write::Truncate(_) | Write::Purge(_) => format::record_bytes(0),
            Write::Flush => 0,
        }
    }

    pub fn records(&self) -> usize {
        match self {
            Write::Append { entries, .. } => entries.len(),
            Write::Ballot(_) | Write::Truncate(_) | Write::Purge(_) => 1,
            Write::Flush => 0,
        }
    }
}

/// The newest of each mark written so far. Every segment begins with them, so that older ones can be let go.
#[derive(Debug, Clone, Copy, Default)]
pub struct Marks {
    pub ballot: Option<Ballot>,
    pub purged: Position,
    pub committed: Position,
}

impl Marks {
    pub fn records(&self) -> usize {
        [self.ballot.is_some(), self.purged.index > 0, self.committed.index > 0]
            .into_iter()
            .filter(|is| *is)
            .count()
    }

    pub fn encode(&self, encoder: &mut Encoder) {
        if let Some(ballot) = self.ballot {
            encoder.ballot(ballot);
        }
        for (kind, mark) in [(Kind::Purge, self.purged), (Kind::Committed, self.committed)] {
            if mark.index > 0 {
                encoder.mark(kind, mark);
            }
        }
    }
}

/// Writes the records of one batch.
pub struct Encoder<'a> {
    pub out: &'a mut Vec<u8>,
    /// Where in the file `out` will begin.
    pub offset: u64,
    pub segment: u64,
    pub salt: u32,
    pub chain: u32,
    pub batch: u64,
    /// Records still to come; the last one is marked.
    pub left: usize,
}

impl Encoder<'_> {
    pub fn write(&mut self, write: &Write, places: &mut Vec<Place>) {
        match write {
            Write::Append { entries, .. } => places.extend(entries.iter().map(|entry| self.entry(entry))),
            Write::Ballot(ballot) => self.ballot(*ballot),
            Write::Truncate(last) => self.mark(Kind::Truncate, *last),
            Write::Purge(upto) => self.mark(Kind::Purge, *upto),
            Write::Flush => {}
        }
    }

    pub fn mark(&mut self, kind: Kind, position: Position) {
        self.record(kind, false, position, &[]);
    }

    fn ballot(&mut self, ballot: Ballot) {
        let Ballot {
            term,
            voted_for,
            committed,
        } = ballot;
        self.record(Kind::Ballot, committed, Position { term, index: voted_for }, &[]);
    }

    fn entry(&mut self, entry: &Entry) -> Place {
        let kind = match entry.content {
            Content::Blank => Kind::Blank,
            Content::Request(_) => Kind::Request,
            Content::Membership(_) => Kind::Membership,
        };
        self.record(kind, false, entry.position, payload(&entry.content))
    }

    fn record(&mut self, kind: Kind, committed: bool, position: Position, payload: &[u8]) -> Place {
        let place = Place {
            segment: self.segment,
            offset: self.offset + self.out.len() as u64,
        };
        self.left -= 1;
        let Position { term, index } = position;
        let end = self.left == 0;
        let record = Record {
            kind,
            end,
            committed,
            batch: self.batch,
            term,
            index,
            payload_bytes: payload.len(),
        };
        self.chain = record.encode(payload, self.chain, self.salt, self.out);
        place
    }
}

pub fn append_bytes(entries: &[Entry]) -> usize {
    entries
        .iter()
        .map(|entry| format::record_bytes(payload(&entry.content).len()))
        .sum()
}
