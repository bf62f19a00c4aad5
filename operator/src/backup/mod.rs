//! Backups: who makes them, when, and what the pods do that make, fetch, check and remove them.
//!
//! A pod is told what to do by one JSON text ([`Request`], variable `TAFFRAIL_REQUEST`), finds Secrets as files, and
//! says what became of it by another ([`Outcome`]) in its termination message. It needs no right in Kubernetes.
//! Who writes the pods and hears them is in [`backups`] and [`schedules`].

mod acts;
pub mod backups;
mod check;
pub(crate) mod conditions;
pub(crate) mod cron;
mod failure;
mod fetch;
mod finish;
mod heard;
mod jobs;
mod keys;
pub mod manifest;
mod members;
pub mod needs;
mod pack;
pub mod places;
pub mod pods;
pub mod progress;
mod prune;
pub mod request;
pub mod retention;
pub mod run;
pub mod schedules;
mod snapshot;
pub mod store;
mod summary;
mod take;
#[cfg(test)]
mod testing;
mod unpack;

pub use failure::{Failure, Reason};
pub use request::{Outcome, Request};
pub use summary::refresh as tell_cluster;
