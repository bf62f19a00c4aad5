//! What the log means.
//!
//! Enters: committed log entries, one after the other, through [`Applier`]. Leaves: for each entry an [`Applied`]
//! (the answer to whoever proposed it, and the events it caused), and [`View`]s, read-only states pinned at one
//! revision. Always holds: the same entries give the same answers, events and logical contents on every member;
//! data and the [`Position`] they reach become visible and durable together.
//!
//! No clock, no randomness, no network, no async: whatever depends on them is decided by the proposer and stands
//! in the entry.

mod applied;
mod apply;
mod auth;
pub mod backup;
mod check;
mod describe;
mod engine;
mod error;
mod home;
mod lease;
mod load;
mod mvcc;
mod pinned;
mod schema;
mod state;
mod stopped;
mod store;
mod transfer;
mod view;
mod whole;

pub use applied::{Answer, Applied, Content, Entry, Position, Response};
pub use apply::Applier;
pub use auth::{Auth, AuthError, Caller, PermitError, ROOT};
pub use check::{CheckReport, Finding};
pub use describe::{Described, describe};
pub use error::{
    ApplyError, Compacted, Corrupt, EventsError, FutureRevision, KeyNotFound, LeaseExists, LeaseNotFound, NoSpace,
    OpenError, RangeError, StoreFailure,
};
pub use lease::Lease;
pub use load::LoadMeta;
pub use mvcc::{HashKv, Revision, Revisions, StoredRevision};
pub use stopped::{CutJournal, StoppedStore};
pub use store::{Options, Sizes, Store};
pub use transfer::{Export, Incoming, ReceiveError, Received};
pub use view::{EventBatch, View};
