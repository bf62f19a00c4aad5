//! The promises of the log, tried on a folder in memory.

mod crash;
mod damage;
mod faults;
mod model;
mod spare;
mod suite;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use taffrail_store::{Content, Entry, Position};

use super::memory_disk::MemoryDisk;
use super::{Ballot, Log, LogOptions, OpenLogError};
use crate::failure::Failure;
use crate::recorder::NoRecorder;

fn options() -> LogOptions {
    LogOptions {
        segment_bytes: 4096,
        recent_bytes_max: 1000,
        queue_commands_max: 64,
        batch_bytes_max: 1 << 20,
        spare_in_background: false,
        recorder: Arc::new(NoRecorder),
    }
}

/// Opens the log with its writer as a task of this runtime, so that every run is the same.
fn open(disk: &MemoryDisk) -> Result<Log, OpenLogError> {
    let (log, writer) = Log::open(Arc::new(disk.clone()), options(), Failure::new())?;
    tokio::spawn(writer.run_as_task());
    Ok(log)
}

fn position(term: u64, index: u64) -> Position {
    Position { term, index }
}

fn entry(term: u64, index: u64, bytes: usize) -> Entry {
    let content = match bytes {
        0 => Content::Blank,
        // Never a whole sector of zeroes: that is what a write cut short looks like.
        _ => Content::Request(Bytes::from(vec![index as u8 | 1; bytes])),
    };
    Entry {
        position: position(term, index),
        content,
    }
}

/// What somebody asks of a log.
#[derive(Debug, Clone)]
enum Op {
    Append(Vec<Entry>),
    Ballot(Ballot),
    Truncate(Position),
    Purge(Position),
}

/// A log as plain values.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    entries: Vec<(Position, usize)>,
    purged: Position,
    last: Position,
    ballot: Option<Ballot>,
}

impl Model {
    fn apply(&mut self, op: &Op) {
        match op {
            Op::Append(entries) => entries.iter().for_each(|entry| {
                self.entries
                    .push((entry.position, super::payload(&entry.content).len()));
                self.last = entry.position;
            }),
            Op::Ballot(ballot) => self.ballot = Some(*ballot),
            Op::Truncate(last) => {
                self.entries.retain(|(position, _)| position.index <= last.index);
                self.last = *last;
            }
            Op::Purge(upto) => {
                self.entries.retain(|(position, _)| position.index > upto.index);
                self.purged = *upto;
                self.last = self.last.max(*upto);
            }
        }
    }

    /// What the log says it is, all of it read back and compared with what an entry must hold.
    fn of(log: &Log) -> Model {
        let state = log.state();
        let read = log.read(0..u64::MAX, usize::MAX).unwrap();
        let entries = read.iter().map(|found| {
            let bytes = super::payload(&found.content).len();
            let Position { term, index } = found.position;
            assert_eq!(
                super::payload(&entry(term, index, bytes).content),
                super::payload(&found.content)
            );
            (found.position, bytes)
        });
        Model {
            entries: entries.collect(),
            purged: state.purged,
            last: state.last,
            ballot: state.ballot,
        }
    }
}

/// Whether the call of an append came, and with what.
type Told = Arc<Mutex<Option<bool>>>;

async fn append(log: &Log, entries: Vec<Entry>) -> Told {
    let told = Told::default();
    let tell = told.clone();
    let done = Box::new(move |result: std::io::Result<()>| *tell.lock().unwrap() = Some(result.is_ok()));
    if log.append(entries, done).await.is_err() {
        *told.lock().unwrap() = Some(false);
    }
    told
}

/// Does one thing and waits until it is durable.
async fn run(log: &Log, op: &Op) -> std::io::Result<()> {
    match op.clone() {
        Op::Append(entries) => {
            let told = append(log, entries).await;
            log.flush().await?;
            assert_eq!(*told.lock().unwrap(), Some(true));
            Ok(())
        }
        Op::Ballot(ballot) => log.save_ballot(ballot).await,
        Op::Truncate(last) => log.truncate_after(last).await,
        Op::Purge(upto) => log.purge(upto).await,
    }
}

/// Three segments: votes, entries of several sizes, a truncation and a purge that lets nothing go yet.
fn story() -> Vec<Op> {
    let ballot = |term, committed| {
        Op::Ballot(Ballot {
            term,
            voted_for: 7,
            committed,
        })
    };
    let mut ops = vec![
        ballot(1, true),
        Op::Append(vec![entry(0, 1, 30), entry(1, 2, 0)]),
        Op::Append((3..12).map(|index| entry(1, index, 10 * index as usize)).collect()),
        Op::Truncate(position(1, 9)),
        ballot(2, false),
        ballot(2, true),
        Op::Append((10..20).map(|index| entry(2, index, 100)).collect()),
        Op::Append(vec![entry(2, 20, 1500)]),
        Op::Append(vec![entry(2, 21, 900), entry(2, 22, 1)]),
        Op::Purge(position(1, 3)),
    ];
    ops.extend((23..40).map(|index| Op::Append(vec![entry(2, index, 90)])));
    ops
}

/// The story told to a new log, and the log's state after each op.
async fn told() -> (MemoryDisk, Vec<Model>) {
    let disk = MemoryDisk::default();
    let log = open(&disk).unwrap();
    let (mut states, mut model) = (vec![Model::default()], Model::default());
    for op in story() {
        run(&log, &op).await.unwrap();
        model.apply(&op);
        states.push(model.clone());
    }
    assert_eq!(Model::of(&log), model);
    assert_eq!(disk.names().len(), 3, "the story should need three segments");
    (disk, states)
}
