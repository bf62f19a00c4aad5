//! Tests on a real Kubernetes.
//!
//! Enters: a cluster that the `kubernetes` program of this crate has brought up; tests run inside its namespaces, by
//! `kubernetes run`, and so reach the API server, pods and services by their addresses. Leaves: namespaces of their
//! own for tests, checked load on etcd clusters, and nodes that lose their power. Always holds: a test waits for
//! conditions and never for time; what a test made goes with its namespace.

mod addresses;
mod handle;
mod logs;
mod namespace;
pub mod wait;
pub mod workload;

pub use addresses::Addresses;
pub use handle::{Error, Kubernetes, run};
pub use namespace::Namespace;
pub use workload::{Verdict, Workload};
