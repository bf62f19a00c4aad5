//! Judges a history: was everything that etcd promises kept?
//!
//! Enters: a [`History`] of a cluster that began empty. Leaves: a [`Report`] with every broken promise and the
//! operations involved. Revisions make it a matter of one walk: watches and acknowledged writes give the write at
//! every revision ([`truth`], [`replay`]), a model replays them ([`model`]), and every answer is compared with the
//! model at the revision that the answer names ([`reads`], [`watches`], [`leases`], [`members`]). [`registers`]
//! searches for a linear order without looking at revisions at all, to check the checker's own reasoning. Always
//! holds: an operation whose outcome is unknown may have happened at any time after it was invoked, or never.

mod compactions;
mod knowledge;
mod leases;
mod members;
pub mod model;
mod reads;
mod registers;
mod replay;
mod report;
mod truth;
mod watches;
mod writer;

#[cfg(test)]
mod tests;

pub use report::{Law, Report, Violation};

use crate::history::History;

pub fn check(history: &History) -> Report {
    let mut report = Report::default();
    for (_, text) in &history.broken {
        report.add(Law::SeenByTheDriver, text.clone());
    }
    let knowledge = knowledge::Knowledge::gather(history);
    let leases = leases::Leases::gather(history);
    let mut truth = truth::Truth::gather(history);
    let conflicts = std::mem::take(&mut truth.conflicts);
    let replayed = replay::Replay::new(history, &knowledge, &leases, truth).run(&mut report);
    // After the replay, which tells at which revision it began.
    conflicts
        .into_iter()
        .for_each(|conflict| report.add(Law::MembersAgree, conflict));
    let compactions = compactions::Compactions::gather(history);
    reads::check_times(history, &knowledge, &replayed, &mut report);
    reads::check_floors(history, &knowledge, &compactions, &mut report);
    watches::check(history, &replayed, &compactions, &mut report);
    leases::check(&leases, history, &knowledge, &replayed, &mut report);
    members::check(history, &mut report);
    registers::check(history, &mut report);
    report.figure("revisions", replayed.last as u64);
    report.figure("operations", history.operations.len() as u64);
    report
}
