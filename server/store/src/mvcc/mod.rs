//! Many versions of every key.
//!
//! Enters: changes decided by `apply`, in order. Leaves: committed batches, and reads of the newest or any older
//! revision down to the compaction floor. Always holds: a version is stored once, in `current` while it is the
//! newest of its key, else inside the `log` row of the change that replaced it; every read below the floor is
//! refused, because what lies there may be gone, or may have come back after a crash.

mod counts;
mod current;
mod events;
mod generation;
mod hash;
mod key_range;
mod old;
mod overlay;
mod pages;
mod range;
mod recent;
mod revision;
mod revisions;
mod sorter;
mod superseded;
mod unwritten;
mod walk;
mod write;

pub use hash::HashKv;
pub use revision::{Revision, StoredRevision};
pub use revisions::Revisions;

pub(crate) use counts::Counts;
pub(crate) use current::Current;
pub(crate) use events::{Wanted, events};
pub(crate) use generation::Generation;
pub(crate) use hash::{hash_all, hash_kv};
pub(crate) use key_range::KeyRange;
pub(crate) use overlay::Rows;
pub(crate) use pages::Pages;
pub(crate) use range::{check_revision, range, range_in_txn};
pub(crate) use revisions::{Kept, revisions};
pub(crate) use unwritten::unwritten;
pub(crate) use write::{Change, Loading, Writer, delete_bytes, version_bytes};
