//! Several members as processes, and everything that can happen to them.
//!
//! Enters: a program with etcd's flags. Leaves: a cluster on loopback for ordinary tests, or one whose members live
//! in network namespaces of their own, where links can be cut and disks can fill up. Always holds: clients reach a
//! member over another link than its peers do, so a member cut off from its peers can still be asked; members end
//! with the cluster, and everything they logged is kept.

mod client;
mod disk;
mod fault;
mod members;
mod network;
mod place;
mod plain;
mod process;
mod start;
mod supervise;

pub use client::{Health, status};
pub use members::Entry;
pub use network::Network;
pub use plain::{Plain, PlainBuilder};
pub use process::Ended;
pub use start::{Cluster, Layout};
pub use supervise::in_a_world;
