//! Keeps EtcdClusters as they were declared.

pub mod access;
pub mod args;
mod backoff;
pub mod backup;
pub mod cluster;
pub mod context;
pub mod copy;
pub mod etcd;
pub mod events;
mod health;
mod leader;
pub mod metrics;
pub mod names;
mod owner;
pub mod pki;
pub mod poller;
pub mod problem;
pub mod rbac;
pub mod refusals;
pub mod run;
pub mod secrets;
pub mod telemetry;
#[cfg(test)]
mod testing;
pub mod upkeep;
