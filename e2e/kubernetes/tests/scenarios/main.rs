//! What users do to an EtcdCluster, and what happens to it, while clients work on it.
//!
//! Every test has a namespace and a cluster of its own; all share the operator, which runs as its Deployment.

mod access;
mod auth;
mod bad_input;
mod life;
mod quorum;
mod records;
mod repair;
mod roll;
mod storage;
mod strangers;
mod tls;
