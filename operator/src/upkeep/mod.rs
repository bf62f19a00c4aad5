//! Space: members give back what they do not use, when somebody asks for it, by a policy, and when a quota is reached.
//!
//! Enters: an EtcdDefragmentation, or an EtcdCluster with its policy and its alarms. Leaves: members that are
//! defragmented one at a time, and what became of each. Always holds: what is going to be done to a member is written
//! down first, and nothing is done while a member is down or the cluster changes.

mod act;
pub mod cluster;
pub mod defragmentation;
mod look;
mod nospace;
mod plan;
#[cfg(test)]
mod plan_tests;
mod policy;
#[cfg(test)]
mod policy_tests;
pub mod space;
#[cfg(test)]
mod space_tests;
#[cfg(test)]
mod testing;
