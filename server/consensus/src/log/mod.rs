//! The durable log: entries, vote, truncations, purges and commit hints in one ordered sequence of segment files.
//!
//! Enters: entries to append, votes, marks. Leaves: entries by index, and a call for each command once it is
//! durable. Always holds: one writer, so the order of commands is the order on disk; a call says Ok only after the
//! fsync that covers its command; after one failed write or fsync nothing is ever written again; what recovery
//! gives back is a prefix of what was written and holds everything that was called durable.
//!
//! Indexes count from 1; a `Position` with index 0 stands for "nothing".

mod batch;
pub mod disk;
mod durable;
mod error;
mod format;
mod handle;
mod memory;
pub mod memory_disk;
mod read_only;
mod real_disk;
mod recover;
mod scan;
mod segments;
mod spare;
mod stopped;
mod tail;
mod window;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use durable::Durable;
pub use error::OpenLogError;
pub(crate) use handle::Log;
pub use real_disk::RealDisk;
pub use stopped::{LogSummary, Logged, LoggedVote, StoppedLog};

use std::sync::Arc;

use taffrail_store::{Content, Entry};

use crate::recorder::Recorder;

/// How a log behaves.
#[derive(Clone)]
pub(crate) struct LogOptions {
    pub segment_bytes: u64,
    /// Entries kept in memory for replication and apply; older ones are read from disk.
    pub recent_bytes_max: usize,
    /// Commands waiting for the writer.
    pub queue_commands_max: usize,
    /// Bytes of commands that one fsync may cover.
    pub batch_bytes_max: usize,
    /// Fill the next segment with zeroes on a thread of its own. Off where everything must be deterministic.
    pub spare_in_background: bool,
    pub recorder: Arc<dyn Recorder>,
}

impl LogOptions {
    pub fn new(recorder: Arc<dyn Recorder>) -> Self {
        Self {
            segment_bytes: 16 << 20,
            recent_bytes_max: 32 << 20,
            queue_commands_max: 1024,
            batch_bytes_max: 8 << 20,
            spare_in_background: true,
            recorder,
        }
    }
}

/// For whom this member voted, and whether a quorum agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ballot {
    pub term: u64,
    pub voted_for: u64,
    pub committed: bool,
}

/// Bytes an entry takes in memory, roughly.
pub(crate) fn entry_bytes(entry: &Entry) -> usize {
    const FIXED_BYTES: usize = 96;
    FIXED_BYTES + payload(&entry.content).len()
}

fn payload(content: &Content) -> &[u8] {
    match content {
        Content::Blank => &[],
        Content::Request(bytes) | Content::Membership(bytes) => bytes,
    }
}
