//! Users and roles of an etcd as EtcdUsers and EtcdRoles declare them.
//!
//! Enters: an EtcdUser or EtcdRole, or an EtcdCluster some of whose have gone. Leaves: users and roles in etcd as they
//! are declared, and a condition that says so or why not. Always holds: what is kept in etcd is written into
//! `EtcdCluster.status.access` before it is made, and taken off after it was removed; what is not written there is
//! nobody's, and nobody here touches it.

mod claim;
mod content;
mod declared;
mod gates;
mod make;
mod password;
mod place;
mod reconcile;
mod record;
mod roles;
mod status;
mod sweep;
mod users;
#[cfg(test)]
mod users_tests;

pub use declared::Declared;
pub use gates::Gates;
pub use reconcile::reconcile;
pub use sweep::sweep;
