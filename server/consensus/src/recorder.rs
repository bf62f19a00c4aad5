//! Durations and amounts for whoever keeps metrics. Called on the threads that do the work: must be quick.

use std::time::Duration;

#[expect(unused_variables, reason = "a recorder implements only what it counts")]
pub trait Recorder: Send + Sync + 'static {
    /// One fsync of the log.
    fn fsync(&self, took: Duration) {}
    /// One write to the log.
    fn write(&self, took: Duration, bytes: u64) {}
    /// One batch of entries applied, listener included.
    fn apply(&self, took: Duration, entries: u64) {}
    /// One raft snapshot made durable.
    fn snapshot(&self, took: Duration) {}
}

/// Counts nothing.
pub struct NoRecorder;

impl Recorder for NoRecorder {}
