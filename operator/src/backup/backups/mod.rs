//! One EtcdBackup: look, decide on one step, take it, look again.
//!
//! Enters: a name. Leaves: an object in the store, or a status that says why there is none. Always holds: a backup that
//! has come to an end is never made again, and nothing here removes anything from a store.

mod build;
mod plan;
#[cfg(test)]
mod plan_tests;
mod reconcile;
mod verify;

pub use plan::is_over;
pub use reconcile::reconcile;
