//! The apply thread: entries in, answers out.
//!
//! The store blocks, so it has a thread of its own. Jobs that wait together share a store batch: the fewer batches,
//! the less each entry costs.

use std::any::Any;
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use openraft::storage::ApplyResponder;
use taffrail_store::{Applied, Content, Entry, StoreFailure};
use tokio::sync::{mpsc, oneshot};

use crate::failure::Failure;
use crate::forward::Waiters;
use crate::log::{Durable, entry_bytes};
use crate::machine::{JOB_BYTES_MAX, JOB_ENTRIES_MAX};
use crate::membership;
use crate::peer::PeerBook;
use crate::recorder::Recorder;
use crate::shared::Shared;
use crate::solo::Solo;
use crate::state::Apply;
use crate::types::TypeConfig;

/// Work for the apply thread.
pub enum Job {
    Entries(Entries),
    /// Replaces the state by one that came from another member.
    Install {
        state: Box<dyn Any + Send>,
        done: oneshot::Sender<io::Result<()>>,
    },
}

/// Entries to apply in one store batch.
#[derive(Default)]
pub struct Entries {
    pub entries: Vec<Entry>,
    /// One for each entry: who waits for its answer here.
    pub responders: Vec<Option<ApplyResponder<TypeConfig>>>,
}

impl Job {
    pub fn install(state: Box<dyn Any + Send>) -> (Self, oneshot::Receiver<io::Result<()>>) {
        let (done, installed) = oneshot::channel();
        (Job::Install { state, done }, installed)
    }
}

impl Entries {
    fn bytes(&self) -> usize {
        self.entries.iter().map(entry_bytes).sum()
    }

    /// Takes over the entries that wait, up to one batch. Returns the job that came between.
    fn gather(&mut self, jobs: &mut mpsc::Receiver<Job>) -> Option<Job> {
        let mut bytes = self.bytes();
        while self.entries.len() < JOB_ENTRIES_MAX && bytes < JOB_BYTES_MAX {
            match jobs.try_recv().ok()? {
                Job::Entries(next) => {
                    bytes += next.bytes();
                    self.entries.extend(next.entries);
                    self.responders.extend(next.responders);
                }
                other => return Some(other),
            }
        }
        None
    }
}

pub fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the apply thread is gone")
}

pub struct Applying {
    pub state: Box<dyn Apply>,
    pub shared: Arc<Shared>,
    /// The state must not be ahead of the log: after a crash nobody could tell what the log has lost.
    pub logged: Arc<Durable>,
    pub solo: Solo,
    /// The membership in force, as it is stored.
    pub membership: Option<Bytes>,
    pub waiters: Arc<Waiters>,
    pub identify: fn(&[u8]) -> Option<u64>,
    pub book: Arc<PeerBook>,
    pub failure: Failure,
    pub recorder: Arc<dyn Recorder>,
}

impl Applying {
    /// Runs until the state machine is gone. After a failure nothing is applied any more.
    pub fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut next = None;
        while let Some(job) = next.take().or_else(|| jobs.blocking_recv()) {
            match job {
                Job::Entries(mut batch) => {
                    next = batch.gather(&mut jobs);
                    if self.failure.get().is_none() {
                        self.apply(batch);
                    }
                }
                Job::Install { state, done } => {
                    // Whoever waited may have been dropped.
                    let _ = done.send(self.install(state).map_err(|error| io::Error::other(error.to_string())));
                }
            }
        }
    }

    fn apply(&mut self, batch: Entries) {
        let Entries {
            mut entries,
            responders,
        } = batch;
        let Some(last) = entries.last().map(|entry| entry.position) else {
            return;
        };
        // The others may have committed what is still on its way to the disk here.
        if !self.logged.wait(last.index) {
            return self.fail("the log ended before what is committed was in it");
        }
        let start = Instant::now();
        self.remember_removed(&mut entries);
        let applied = match self.state.apply(&entries) {
            Ok(applied) => applied,
            Err(error) => return self.fail(&format!("entries up to {} could not be applied: {error}", last.index)),
        };
        self.shared.set_solo(self.solo.after(&entries));
        self.shared.applied(last);
        self.recorder.apply(start.elapsed(), entries.len() as u64);
        self.answer(&entries, applied, responders);
    }

    fn fail(&self, why: &str) {
        self.failure.set(format!("{why}; the state may be partly written"));
    }

    fn answer(&self, entries: &[Entry], applied: Vec<Applied>, responders: Vec<Option<ApplyResponder<TypeConfig>>>) {
        debug_assert_eq!(applied.len(), entries.len(), "one answer for each entry");
        for ((applied, responder), entry) in applied.into_iter().zip(responders).zip(entries) {
            match responder {
                Some(responder) => responder.send(applied.answer),
                None if self.waiters.are_some() => self.answer_forwarded(entry, applied),
                None => {}
            }
        }
    }

    fn answer_forwarded(&self, entry: &Entry, applied: Applied) {
        self.waiters.term_began(entry.position.term);
        if let Content::Request(request) = &entry.content
            && let Some(id) = (self.identify)(request)
        {
            self.waiters.tell(id, Ok(applied.answer));
        }
    }

    /// What is stored of a membership also says who was removed before: an id that was removed never comes back.
    fn remember_removed(&mut self, entries: &mut [Entry]) {
        for entry in entries {
            let Content::Membership(bytes) = &mut entry.content else {
                continue;
            };
            match membership::with_removed(bytes, self.membership.as_ref()) {
                Ok(with_removed) => *bytes = with_removed,
                Err(error) => tracing::error!(error, "a membership cannot be read"),
            }
            self.membership = Some(bytes.clone());
            self.book.set_removed(removed(bytes));
        }
    }

    fn install(&mut self, state: Box<dyn Any + Send>) -> Result<(), StoreFailure> {
        let start = Instant::now();
        self.recorder.installing(true);
        let installed = self.state.install(state);
        self.recorder.installing(false);
        let look =
            installed.inspect_err(|error| self.fail(&format!("a raft snapshot could not be installed: {error}")))?;
        self.membership = look.membership.map(|(_, bytes)| bytes);
        self.solo.alone = false;
        self.shared.set_solo(false);
        self.waiters.jumped();
        if let Some(bytes) = &self.membership {
            self.book.set_removed(removed(bytes));
        }
        self.shared.applied(look.position);
        self.recorder.snapshot(start.elapsed());
        tracing::info!(position = ?look.position, took = ?start.elapsed(), "applied snapshot");
        Ok(())
    }
}

/// Ids that the stored membership calls removed.
pub fn removed(membership: &[u8]) -> BTreeSet<u64> {
    membership::removed(membership).unwrap_or_default()
}
