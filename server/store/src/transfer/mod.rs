//! A state on its way to another member, whole.
//!
//! Enters: a [`View`](crate::View) on one side, the [`Chunk`s](chunk) of its [`Export`] on the other. Leaves: a
//! [`Received`] state, durable in a folder of its own, which [`Applier::install`](crate::Applier::install) puts in
//! the place of the one that is there. Always holds: rows travel as they are stored, so that all that can be read,
//! counted and hashed is the same on both sides; only what the compaction floor lets go stays behind. A stream that
//! is cut short, out of order or changed is refused, and until the installation nothing of it shows.

mod chunk;
mod export;
mod incoming;
mod install;
mod part;

pub use export::Export;
pub use incoming::{Incoming, ReceiveError, Received};
