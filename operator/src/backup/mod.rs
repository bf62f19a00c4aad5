//! Backups: who makes them, when, and what the pods do that make, fetch, check and remove them.
//!
//! A pod is told what to do by one JSON text ([`Request`], variable `TAFFRAIL_REQUEST`), finds Secrets as files, and
//! says what became of it by another ([`Outcome`]) in its termination message. It needs no right in Kubernetes.
//! Who writes the pods and hears them is in [`backups`] and [`schedules`].

mod acts;
pub mod backups;
mod conditions;
mod cron;
mod heard;
mod jobs;
mod members;
pub mod needs;
pub mod pods;
pub mod request;
pub mod schedules;
mod summary;

pub use request::{Outcome, Request};
pub use summary::refresh as tell_cluster;
