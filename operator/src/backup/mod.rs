//! Backups: what the pods that make, fetch, check and remove them do.
//!
//! A pod is told what to do by one JSON text ([`Request`], variable `TAFFRAIL_REQUEST`), finds Secrets as files, and
//! says what became of it by another ([`Outcome`]) in its termination message. It needs no right in Kubernetes.

pub mod pods;
pub mod request;

pub use request::{Outcome, Request};
