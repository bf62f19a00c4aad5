//! The only one who writes: drains the queue, one write, one fsync, then the calls in order.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use taffrail_store::Position;
use tokio::sync::mpsc::Receiver;

use super::batch::{Command, Encoder, Marks, Write};
use super::format::{self, Kind, SEGMENT_HEADER_BYTES, SegmentHeader};
use super::memory::{Memory, Place};
use super::segments::{Current, Segments};
use super::{Durable, LogOptions};
use crate::failure::Failure;

/// A larger buffer is not kept for the next batch.
const BUFFER_KEPT_BYTES: usize = 8 << 20;

pub struct Writer {
    pub(super) durable: Arc<Durable>,
    pub(super) commands: Receiver<Command>,
    pub(super) memory: Arc<Mutex<Memory>>,
    pub(super) segments: Segments,
    pub(super) current: Option<Current>,
    pub(super) marks: Marks,
    /// The last entry written.
    pub(super) last: Position,
    pub(super) options: LogOptions,
    pub(super) failure: Failure,
    pub(super) poisoned: Option<String>,
    pub(super) buffer: Vec<u8>,
    pub(super) places: Vec<Place>,
}

impl Writer {
    /// Runs until the last handle is gone.
    pub fn run(mut self) {
        while let Some(first) = self.commands.blocking_recv() {
            self.turn(first);
        }
        self.durable.end();
    }

    /// The same as a task, for a simulated world without threads.
    #[cfg(test)]
    pub async fn run_as_task(mut self) {
        while let Some(first) = self.commands.recv().await {
            self.turn(first);
        }
    }

    fn turn(&mut self, first: Command) {
        let mut bytes = first.content.bytes();
        let mut batch = vec![first];
        while bytes < self.options.batch_bytes_max
            && let Ok(next) = self.commands.try_recv()
        {
            bytes += next.content.bytes();
            batch.push(next);
        }
        self.memory().writing_since = Some(Instant::now());
        let committed = self.commit(&batch, bytes);
        self.memory().writing_since = None;
        match &committed {
            Ok(()) => self.durable.reached(self.last.index),
            Err(_) => self.durable.end(),
        }
        match committed {
            Ok(()) => batch.into_iter().for_each(|command| (command.done)(Ok(()))),
            Err(error) => batch.into_iter().for_each(|command| (command.done)(Err(same(&error)))),
        }
    }

    fn commit(&mut self, batch: &[Command], bytes: usize) -> io::Result<()> {
        if let Some(why) = &self.poisoned {
            return Err(io::Error::other(why.clone()));
        }
        self.write_batch(batch, bytes)
            .and_then(|()| self.publish(batch))
            .map_err(|error| {
                let why = format!("the raft log cannot be written: {error}; what reached the disk is unknown");
                self.failure.set(why.clone());
                self.poisoned = Some(why.clone());
                io::Error::new(error.kind(), why)
            })
    }

    fn write_batch(&mut self, batch: &[Command], bytes: usize) -> io::Result<()> {
        let hint = self.new_hint();
        let records =
            batch.iter().map(|command| command.content.records()).sum::<usize>() + usize::from(hint.is_some());
        if records == 0 {
            return Ok(());
        }
        let bytes = (bytes + format::record_bytes(0)) as u64;
        let (mut current, rolled) = match self.current {
            Some(current) if current.end + bytes <= current.bytes => (current, false),
            before => (self.roll(before, bytes)?, true),
        };
        self.encode(batch, hint, &mut current, records, rolled);
        self.write_buffer(&mut current)?;
        if rolled {
            self.segments.sync_names()?;
        }
        self.current = Some(current);
        Ok(())
    }

    /// A commit index that is not on disk yet.
    fn new_hint(&self) -> Option<Position> {
        let committed = self.memory().committed;
        (committed != self.marks.committed && committed.index > 0).then_some(committed)
    }

    fn roll(&mut self, before: Option<Current>, bytes: u64) -> io::Result<Current> {
        let head = (SEGMENT_HEADER_BYTES + 3 * format::record_bytes(0)) as u64;
        let length = self.segments.add(head + bytes, self.last.index)?;
        let (chain, batch) = before.map_or((0, 0), |before| (before.chain, before.batch));
        Ok(Current {
            end: 0,
            bytes: length,
            chain,
            batch,
        })
    }

    fn encode(
        &mut self,
        batch: &[Command],
        hint: Option<Position>,
        current: &mut Current,
        records: usize,
        rolled: bool,
    ) {
        let segment = self.segments.next_sequence() - 1;
        self.places.clear();
        self.buffer.clear();
        current.batch += 1;
        if rolled {
            let Position {
                term: last_term,
                index: last_index,
            } = self.last;
            let Current {
                bytes, chain, batch, ..
            } = *current;
            let header = SegmentHeader {
                sequence: segment,
                bytes,
                chain,
                batch,
                last_term,
                last_index,
            };
            self.buffer.extend_from_slice(&header.encode());
        }
        let mut encoder = Encoder {
            out: &mut self.buffer,
            offset: current.end,
            segment,
            salt: format::salt(segment),
            chain: current.chain,
            batch: current.batch,
            left: records + if rolled { self.marks.records() } else { 0 },
        };
        if rolled {
            self.marks.encode(&mut encoder);
        }
        if let Some(hint) = hint {
            encoder.mark(Kind::Committed, hint);
            self.marks.committed = hint;
        }
        batch
            .iter()
            .for_each(|command| encoder.write(&command.content, &mut self.places));
        current.chain = encoder.chain;
    }

    fn write_buffer(&mut self, current: &mut Current) -> io::Result<()> {
        let file = match self.segments.newest() {
            Some(segment) => segment.file.clone(),
            None => return Err(io::Error::other("there is no segment to write to")),
        };
        let start = Instant::now();
        file.write_at(&self.buffer, current.end)?;
        let written = Instant::now();
        file.sync()?;
        self.options.recorder.write(written - start, self.buffer.len() as u64);
        self.options.recorder.fsync(written.elapsed());
        current.end += self.buffer.len() as u64;
        if self.buffer.capacity() > BUFFER_KEPT_BYTES {
            self.buffer = Vec::new();
        }
        Ok(())
    }

    /// Makes memory follow what is now durable, and lets go of what a purge covers.
    fn publish(&mut self, batch: &[Command]) -> io::Result<()> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(segment) = self.segments.newest() {
            memory.add_file(segment.sequence, segment.file.clone());
        }
        let mut places = self.places.as_slice();
        let purged_before = self.marks.purged;
        for command in batch {
            match &command.content {
                Write::Append { entries, .. } => {
                    let (these, rest) = places.split_at(entries.len());
                    memory.placed(these);
                    places = rest;
                    self.last = entries.last().map_or(self.last, |entry| entry.position);
                }
                Write::Ballot(ballot) => {
                    memory.ballot = Some(*ballot);
                    self.marks.ballot = Some(*ballot);
                }
                Write::Truncate(last) => {
                    memory.truncate(*last);
                    if last.index < self.last.index {
                        self.last = *last;
                    }
                }
                Write::Purge(upto) => {
                    memory.purge(*upto);
                    self.marks.purged = self.marks.purged.max(*upto);
                    self.last = self.last.max(*upto);
                }
                Write::Flush => {}
            }
            if let Some(segment) = self.segments.newest() {
                segment.highest_index = segment.highest_index.max(self.last.index);
            }
        }
        drop(memory);
        if self.marks.purged != purged_before {
            let gone = self.segments.let_go(self.marks.purged.index)?;
            let mut memory = self.memory();
            gone.into_iter().for_each(|segment| memory.forget_file(segment));
        }
        Ok(())
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Nothing panics halfway through a change of it.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn same(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}
