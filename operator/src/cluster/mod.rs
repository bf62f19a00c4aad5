//! One EtcdCluster: look, decide on one step, take it, look again.
//!
//! Enters: a name. Leaves: the cluster one or more steps nearer to what is declared, and a status that tells the truth.
//! Nothing is remembered between two calls: whatever matters is written down in Kubernetes or in etcd.

mod act;
pub mod auth;
pub mod build;
pub mod certificates;
mod children;
mod error;
pub mod observe;
pub mod plan;
mod pods;
mod reconcile;
mod restore;
mod secure;
mod status;
pub mod version;
pub mod wanted;

pub use error::Error;
pub use reconcile::reconcile;
