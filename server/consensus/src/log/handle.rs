//! What the rest of the room holds of the log.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use taffrail_store::{Entry, Position};
use tokio::sync::{mpsc, oneshot};

use super::batch::{Command, Done, Marks, Write, append_bytes};
use super::disk::Disk;
use super::error::OpenLogError;
use super::memory::Memory;
use super::recover::recover;
use super::segments::Segments;
use super::spare::Spares;
use super::writer::Writer;
use super::{Ballot, Durable, LogOptions};
use crate::failure::Failure;

#[derive(Clone)]
pub(crate) struct Log {
    memory: Arc<Mutex<Memory>>,
    durable: Arc<Durable>,
    commands: mpsc::Sender<Command>,
}

/// Where the log begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogState {
    pub purged: Position,
    pub last: Position,
    pub committed: Position,
    pub ballot: Option<Ballot>,
}

impl Log {
    /// Recovers what the folder holds. Nothing is written until the writer runs.
    pub fn open(disk: Arc<dyn Disk>, options: LogOptions, failure: Failure) -> Result<(Log, Writer), OpenLogError> {
        let recovered = recover(&disk, &options)?;
        let io = |source| OpenLogError::Io {
            file: disk.describe(""),
            source,
        };
        let spares = Spares::new(disk.clone(), &options).map_err(io)?;
        let (commands, queue) = mpsc::channel(options.queue_commands_max);
        let Memory {
            ballot,
            committed,
            purged,
            last,
            ..
        } = recovered.memory;
        let memory = Arc::new(Mutex::new(recovered.memory));
        let durable = Arc::new(Durable::default());
        durable.reached(last.index);
        let writer = Writer {
            durable: durable.clone(),
            commands: queue,
            memory: memory.clone(),
            segments: Segments::new(disk.clone(), spares, recovered.segments),
            current: recovered.current,
            marks: Marks {
                ballot,
                purged,
                committed,
            },
            last,
            options,
            failure,
            poisoned: None,
            buffer: Vec::new(),
            places: Vec::new(),
        };
        let log = Log {
            memory,
            durable,
            commands,
        };
        Ok((log, writer))
    }

    /// Readable when this returns; `done` is called when durable.
    pub async fn append(&self, entries: Vec<Entry>, done: Done) -> io::Result<()> {
        {
            let mut memory = self.memory();
            for entry in &entries {
                memory.append(entry.clone()).map_err(io::Error::other)?;
            }
        }
        let bytes = append_bytes(&entries);
        self.send(Write::Append { entries, bytes }, done).await
    }

    pub async fn save_ballot(&self, ballot: Ballot) -> io::Result<()> {
        self.write(Write::Ballot(ballot)).await
    }

    /// Drops the entries after this one.
    pub async fn truncate_after(&self, last: Position) -> io::Result<()> {
        self.write(Write::Truncate(last)).await
    }

    /// Lets go of the entries up to this one; a raft snapshot holds what they did.
    pub async fn purge(&self, upto: Position) -> io::Result<()> {
        self.write(Write::Purge(upto)).await
    }

    /// Goes to disk with the next write.
    pub fn hint_committed(&self, committed: Position) {
        self.memory().committed = committed;
    }

    /// Returns once everything before is durable, the last hint included.
    pub async fn flush(&self) -> io::Result<()> {
        self.write(Write::Flush).await
    }

    /// The entries of the range that exist, from its start, up to a size; at least one if there is one.
    pub fn read(&self, range: Range<u64>, bytes_max: usize) -> io::Result<Vec<Entry>> {
        let plan = self.memory().plan(range, bytes_max);
        plan.read()
    }

    pub fn state(&self) -> LogState {
        let Memory {
            purged,
            last,
            committed,
            ballot,
            ..
        } = *self.memory();
        LogState {
            purged,
            last,
            committed,
            ballot,
        }
    }

    pub fn durable(&self) -> Arc<Durable> {
        self.durable.clone()
    }

    /// For how long the write under way has taken so far; nothing if there is none.
    pub fn stalled_for(&self) -> Duration {
        self.memory()
            .writing_since
            .map_or(Duration::ZERO, |since| since.elapsed())
    }

    pub fn first_index(&self) -> u64 {
        self.memory().first_index()
    }

    async fn write(&self, content: Write) -> io::Result<()> {
        let (done, durable) = oneshot::channel();
        let done = Box::new(move |result| {
            // Whoever waited may have been dropped.
            let _ = done.send(result);
        });
        self.send(content, done).await?;
        durable.await.unwrap_or_else(|_| Err(closed()))
    }

    async fn send(&self, content: Write, done: Done) -> io::Result<()> {
        self.commands
            .send(Command { content, done })
            .await
            .map_err(|_| closed())
    }

    #[cfg(test)]
    pub fn begin_anywhere(&self) {
        self.memory().begins_anywhere = true;
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Nothing panics halfway through a change of it.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the log is closed")
}
