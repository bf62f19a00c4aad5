//! The apply thread: entries in, answers out.
//!
//! The store blocks, so it has a thread of its own. Jobs that wait together share a store batch: the fewer batches,
//! the less each entry costs.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use openraft::storage::ApplyResponder;
use taffrail_store::{Content, Entry, StoreFailure};
use tokio::sync::{mpsc, oneshot};

use crate::failure::Failure;
use crate::log::entry_bytes;
use crate::machine::{JOB_BYTES_MAX, JOB_ENTRIES_MAX};
use crate::membership;
use crate::recorder::Recorder;
use crate::shared::Shared;
use crate::state::Apply;
use crate::types::TypeConfig;

/// Entries to apply in one store batch.
#[derive(Default)]
pub struct Job {
    pub entries: Vec<Entry>,
    /// One for each entry: who waits for its answer here.
    pub responders: Vec<Option<ApplyResponder<TypeConfig>>>,
    /// Told when this job and all before it are applied, or that one of them failed.
    pub done: Vec<oneshot::Sender<io::Result<()>>>,
}

impl Job {
    /// Nothing to apply; reports when everything before it is.
    fn marker() -> (Self, oneshot::Receiver<io::Result<()>>) {
        let (done, applied) = oneshot::channel();
        let job = Job {
            done: vec![done],
            ..Job::default()
        };
        (job, applied)
    }

    fn bytes(&self) -> usize {
        self.entries.iter().map(entry_bytes).sum()
    }

    /// Takes over the jobs that wait, up to one batch.
    fn gather(&mut self, jobs: &mut mpsc::Receiver<Job>) {
        let mut bytes = self.bytes();
        while self.entries.len() < JOB_ENTRIES_MAX && bytes < JOB_BYTES_MAX {
            let Ok(next) = jobs.try_recv() else { return };
            bytes += next.bytes();
            self.entries.extend(next.entries);
            self.responders.extend(next.responders);
            self.done.extend(next.done);
        }
    }
}

/// Returns when everything handed to the apply thread before is applied. Does not keep the thread from ending.
pub async fn caught_up(jobs: &mpsc::WeakSender<Job>) -> io::Result<()> {
    let (marker, applied) = Job::marker();
    let jobs = jobs.upgrade().ok_or_else(gone)?;
    jobs.send(marker).await.map_err(|_| gone())?;
    applied.await.unwrap_or_else(|_| Err(gone()))
}

pub fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the apply thread is gone")
}

pub struct Applying {
    pub state: Box<dyn Apply>,
    pub shared: Arc<Shared>,
    pub solo: Solo,
    pub failure: Failure,
    pub recorder: Arc<dyn Recorder>,
}

impl Applying {
    /// Runs until the state machine is gone.
    pub fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut failed = None;
        while let Some(mut job) = jobs.blocking_recv() {
            job.gather(&mut jobs);
            let Job {
                entries,
                responders,
                done,
            } = job;
            if failed.is_none() {
                failed = self.apply(&entries, responders).err().map(|error| error.to_string());
            }
            for done in done {
                let result = failed.as_ref().map_or(Ok(()), |why| Err(io::Error::other(why.clone())));
                // Whoever waited may have been dropped.
                let _ = done.send(result);
            }
        }
    }

    fn apply(
        &mut self,
        entries: &[Entry],
        responders: Vec<Option<ApplyResponder<TypeConfig>>>,
    ) -> Result<(), StoreFailure> {
        let Some(last) = entries.last() else { return Ok(()) };
        let start = Instant::now();
        let batch = self.state.apply(entries).inspect_err(|error| {
            let upto = last.position.index;
            self.failure.set(format!(
                "entries up to {upto} could not be applied: {error}; the state may be partly written"
            ));
        })?;
        self.shared.applied(last.position);
        self.shared.set_solo(self.solo.after(entries));
        self.recorder.apply(start.elapsed(), entries.len() as u64);
        debug_assert_eq!(batch.len(), entries.len(), "one answer for each entry");
        for (applied, responder) in batch.into_iter().zip(responders) {
            if let Some(responder) = responder {
                responder.send(applied.answer);
            }
        }
        Ok(())
    }
}

/// Whether this member is the only one there is.
///
/// Then every answer anybody ever got came from here, after it was applied here, so a read barrier holds without a
/// round. It must have led since this start: what an earlier run acknowledged is applied once an entry of a newer
/// term is.
pub struct Solo {
    pub member_id: u64,
    /// The term of the vote found at start.
    pub start_term: u64,
    pub alone: bool,
}

impl Solo {
    fn after(&mut self, entries: &[Entry]) -> bool {
        for entry in entries {
            if let Content::Membership(bytes) = &entry.content {
                self.alone = is_alone(self.member_id, bytes);
            }
        }
        self.alone
            && entries
                .last()
                .is_some_and(|entry| entry.position.term > self.start_term)
    }
}

pub fn is_alone(member_id: u64, membership: &[u8]) -> bool {
    membership::decode(membership).is_ok_and(|membership| {
        let nodes: Vec<u64> = membership.nodes().map(|(id, _)| *id).collect();
        let voters: Vec<u64> = membership.voter_ids().collect();
        nodes == [member_id] && voters == [member_id]
    })
}
