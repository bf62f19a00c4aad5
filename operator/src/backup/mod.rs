//! Backups: what the pods that make, fetch, check and remove them do.
//!
//! A pod is told what to do by one JSON text ([`Request`], variable `TAFFRAIL_REQUEST`), finds Secrets as files, and
//! says what became of it by another ([`Outcome`]) in its termination message. It needs no right in Kubernetes.

mod check;
mod failure;
mod fetch;
mod finish;
mod keys;
pub mod manifest;
mod pack;
pub mod places;
pub mod pods;
pub mod progress;
mod prune;
pub mod request;
pub mod retention;
pub mod run;
mod snapshot;
pub mod store;
mod take;
#[cfg(test)]
mod testing;
mod unpack;

pub use failure::{Failure, Reason};
pub use request::{Outcome, Request};
