//! Tests on a real Kubernetes.
//!
//! Enters: a cluster that the `kubernetes` program of this crate has brought up; tests run inside its namespaces, by
//! `kubernetes run`, and so reach the API server, pods and services by their addresses. Leaves: namespaces of their
//! own for tests, checked load on etcd clusters, and nodes that lose their power. Always holds: a test waits for
//! conditions and never for time; what a test made goes with its namespace.

mod addresses;
pub mod backups;
mod bucket;
pub mod bulk;
pub mod cluster;
mod discovery;
mod guard;
mod handle;
mod helm;
mod life;
mod logs;
mod namespace;
mod operator;
mod prometheus;
mod relay;
mod speech;
pub mod wait;
pub mod workload;

pub use addresses::Addresses;
pub use bucket::Bucket;
pub use cluster::{Cluster, Image, PATIENCE};
pub use discovery::documented;
pub use guard::Guard;
pub use handle::{Error, Kubernetes, run};
pub use helm::Helm;
pub use life::Life;
pub use namespace::Namespace;
pub use operator::NAMESPACE as OPERATOR_NAMESPACE;
pub use prometheus::Prometheus;
pub use relay::Relay;
pub use speech::Speech;
pub use workload::{Verdict, Workload};
