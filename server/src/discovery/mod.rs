//! How the first members of a cluster find each other through another etcd (v3 discovery).
//!
//! Enters: a token, the way to the registry, and who this member is. Leaves: what `--initial-cluster` would have said,
//! the same text for every member. Always holds: a member that has no seat leaves no trace but its key, and nothing
//! but a refusal ends the waiting.

mod registrar;
mod registry;

pub use registrar::join;
