//! One EtcdBackupSchedule: look, decide on one step, take it, look again.
//!
//! Enters: a name. Leaves: EtcdBackups at their times, and of those that were made no more than people want to look at.
//! Always holds: an EtcdBackup's name follows from the schedule and the time, so that two operators make one; what lies
//! in the store is removed by a Job that looks at this schedule's alone, and only after a success.

mod build;
mod history;
mod plan;
#[cfg(test)]
mod plan_tests;
mod reconcile;
mod retain;

pub use reconcile::reconcile;
