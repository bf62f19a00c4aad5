//! The segment files as the writer knows them: one to write to, older ones to let go.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::disk::{Disk, DiskFile};
use super::spare::Spares;

const SUFFIX: &str = ".log";

pub fn name(sequence: u64) -> String {
    format!("{sequence:016x}{SUFFIX}")
}

pub fn sequence_of(name: &str) -> Option<u64> {
    u64::from_str_radix(name.strip_suffix(SUFFIX)?, 16)
        .ok()
        .filter(|sequence| self::name(*sequence) == name)
}

pub struct Segment {
    pub sequence: u64,
    pub file: Arc<dyn DiskFile>,
    /// No entry in it, or before it, has a higher index.
    pub highest_index: u64,
}

/// Where the next batch goes.
#[derive(Debug, Clone, Copy)]
pub struct Current {
    pub end: u64,
    pub bytes: u64,
    pub chain: u32,
    /// Number of the last batch.
    pub batch: u64,
}

pub struct Segments {
    disk: Arc<dyn Disk>,
    spares: Spares,
    files: VecDeque<Segment>,
    next_sequence: u64,
}

impl Segments {
    pub fn new(disk: Arc<dyn Disk>, spares: Spares, files: Vec<Segment>) -> Self {
        let next_sequence = files.last().map_or(1, |segment| segment.sequence + 1);
        Self {
            disk,
            spares,
            files: files.into(),
            next_sequence,
        }
    }

    pub fn newest(&mut self) -> Option<&mut Segment> {
        self.files.back_mut()
    }

    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// A new last segment, all zeroes. Its name is durable only after `sync_names`. Returns its length.
    pub fn add(&mut self, bytes_min: u64, highest_index: u64) -> io::Result<u64> {
        let spare = self.spares.take(bytes_min)?;
        self.disk.rename(&spare.name, &name(self.next_sequence))?;
        self.files.push_back(Segment {
            sequence: self.next_sequence,
            file: spare.file,
            highest_index,
        });
        self.next_sequence += 1;
        Ok(spare.bytes)
    }

    pub fn sync_names(&self) -> io::Result<()> {
        self.disk.sync_names()
    }

    /// Removes the segments that hold nothing beyond this index. One name at a time is made durable, so that a
    /// crash cannot leave a hole in the sequence.
    pub fn let_go(&mut self, purged_index: u64) -> io::Result<Vec<u64>> {
        let mut gone = Vec::new();
        while self.files.len() > 1 && self.files[0].highest_index <= purged_index {
            let sequence = self.files[0].sequence;
            if let Err(error) = self.disk.remove(&name(sequence)) {
                // Costs space only; the next purge tries again.
                tracing::warn!(%error, file = name(sequence), "could not remove an old log segment");
                break;
            }
            self.files.pop_front();
            gone.push(sequence);
            self.disk.sync_names()?;
        }
        Ok(gone)
    }
}
