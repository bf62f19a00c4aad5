//! Keeps EtcdClusters as they were declared.

pub mod context;
pub mod etcd;
pub mod names;
pub mod pki;
pub mod problem;
