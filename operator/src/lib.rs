//! Keeps EtcdClusters as they were declared.

pub mod cluster;
pub mod context;
pub mod etcd;
pub mod names;
pub mod pki;
pub mod problem;
pub mod secrets;
#[cfg(test)]
mod testing;
