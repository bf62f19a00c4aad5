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
    /// One message of entries on its way to a peer.
    fn peer_sent(&self, to: u64, bytes: u64) {}
    fn peer_received(&self, from: u64, bytes: u64) {}
    /// Something came from a peer that could not be used.
    fn peer_receive_failed(&self, from: u64) {}
    fn peer_send_failed(&self, to: u64) {}
    /// A ping and its answer.
    fn peer_round_trip(&self, to: u64, took: Duration) {}
    /// A peer that answered does not any more.
    fn peer_lost(&self, id: u64) {}
    fn snapshot_send_begins(&self, to: u64) {}
    fn snapshot_receive_begins(&self, from: u64) {}
    /// A received state is taking the place of the one in use, or has.
    fn installing(&self, under_way: bool) {}
    /// One whole state sent to a peer, or not.
    fn snapshot_sent(&self, to: u64, arrived: bool, took: Duration) {}
    /// A received state was verified and made durable.
    fn snapshot_durable(&self, took: Duration) {}
    fn snapshot_received(&self, from: u64, whole: bool, took: Duration) {}
}

/// Counts nothing.
pub struct NoRecorder;

impl Recorder for NoRecorder {}
