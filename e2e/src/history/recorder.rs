//! Writes records to the file as they come, so that memory does not grow with the run.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use anyhow::{Context, Result};

use super::{Heard, Operation, Record, Watch};

/// Microseconds since the run began.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }
    pub fn now(&self) -> u64 {
        self.start.elapsed().as_micros() as u64
    }
}

/// Shared by all clients of a run.
#[derive(Clone)]
pub struct Recorder {
    pub clock: Clock,
    file: Arc<Mutex<BufWriter<File>>>,
    ids: Arc<AtomicU64>,
}

impl Recorder {
    pub fn create(path: &Path) -> Result<Self> {
        Self::numbering_from(1, path)
    }

    /// With other numbers than an earlier run on the same cluster had.
    pub fn numbering_from(first: u64, path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self {
            clock: Clock::start(),
            file: Arc::new(Mutex::new(BufWriter::new(file))),
            ids: Arc::new(AtomicU64::new(first)),
        })
    }

    /// A number nobody else has: for operations, watchers, values and leases alike.
    pub fn id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    pub fn write(&self, record: &Record) {
        let line = serde_json::to_string(record).expect("a record is plain data");
        let mut file = self.file.lock().expect("no writer panics while it holds the file");
        writeln!(file, "{line}").expect("the folder of the history is writable");
    }

    pub fn note(&self, text: impl Into<String>) {
        self.write(&Record::Note {
            at: self.clock.now(),
            text: text.into(),
        });
    }

    pub fn broken(&self, text: impl Into<String>) {
        self.write(&Record::Broken {
            at: self.clock.now(),
            text: text.into(),
        });
    }

    pub fn flush(&self) -> Result<()> {
        let mut file = self.file.lock().expect("no writer panics while it holds the file");
        file.flush().context("cannot write the history")
    }
}

/// A whole run.
#[derive(Debug, Default, Clone)]
pub struct History {
    pub operations: Vec<Operation>,
    pub watches: Vec<Watch>,
    pub heard: Vec<Heard>,
    pub notes: Vec<(u64, String)>,
    pub broken: Vec<(u64, String)>,
}

impl History {
    pub fn read(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let mut history = Self::default();
        for line in BufReader::new(file).lines() {
            let line = line.context("cannot read the history")?;
            history.add(serde_json::from_str(&line).with_context(|| format!("no record: {line}"))?);
        }
        Ok(history)
    }

    pub fn add(&mut self, record: Record) {
        match record {
            Record::Operation(operation) => self.operations.push(operation),
            Record::Watch(watch) => self.watches.push(watch),
            Record::Heard(heard) => self.heard.push(heard),
            Record::Note { at, text } => self.notes.push((at, text)),
            Record::Broken { at, text } => self.broken.push((at, text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Answer, Body, Event, Key, News, Outcome, Pair, Put, Request, Span};

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        let pair = Pair {
            key: Key(1),
            value: 2,
            created: 3,
            modified: 4,
            version: 5,
            lease: 6,
        };
        let (span, body) = (Span::all(), Body::Put { prev: Some(pair) });
        let put = Put {
            key: Key(1),
            value: 2,
            lease: 6,
            prev: true,
        };
        let operation = Operation {
            id: 1,
            client: 2,
            member: 0,
            invoked: 3,
            returned: 4,
            request: Request::Put(put),
            outcome: Outcome::Ok(Answer { revision: 4, body }),
        };
        let news = News::Events(vec![Event {
            put: true,
            pair,
            prev: None,
        }]);

        let recorder = Recorder::create(&path).unwrap();
        recorder.write(&Record::Operation(operation.clone()));
        recorder.write(&Record::Watch(Watch {
            id: 7,
            member: 1,
            asked: 0,
            span,
            start: 0,
            prev: false,
        }));
        recorder.write(&Record::Heard(Heard {
            watch: 7,
            at: 9,
            revision: 4,
            news,
        }));
        recorder.note("calm");
        recorder.broken("a promise");
        recorder.flush().unwrap();

        let history = History::read(&path).unwrap();
        assert_eq!(history.operations[0].to_string(), operation.to_string());
        assert!(matches!(&history.heard[0].news, News::Events(events) if events[0].pair == pair));
        assert_eq!(
            (history.watches.len(), history.notes.len(), history.broken.len()),
            (1, 1, 1)
        );
    }
}
