//! A line of keys under one name, ordered by when they were created: who is first has the lock, or leads (etcd
//! client/v3/concurrency).
//!
//! Always holds: whoever is let in was first, and its own key still there, at one moment: no lock is given to a
//! waiter whose lease has ended meanwhile. A waiter that leaves takes its key along.

mod line;
mod place;
mod steps;

use taffrail_proto::etcdserverpb as pb;
use tonic::Status;

use crate::errand::Errand;

pub(crate) use line::Line;
pub(crate) use place::{Place, Wish};
pub(crate) use steps::{created_at, leave, proclaim};

/// How long the lease of a caller without one lives (etcd concurrency/session.go).
const LEASE_TTL_S: i64 = 60;

/// The caller's lease, or a fresh one that nobody keeps alive.
pub(crate) async fn lease(errand: &Errand, lease: i64) -> Result<i64, Status> {
    if lease != 0 {
        return Ok(lease);
    }
    let ttl = LEASE_TTL_S;
    Ok(errand.grant(pb::LeaseGrantRequest { ttl, id: 0 }).await?.id)
}
