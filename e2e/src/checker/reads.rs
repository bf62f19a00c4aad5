//! Answers against the state at their revision, and against what was known when they were asked for.

use std::collections::HashMap;

use super::compactions::Compactions;
use super::knowledge::Knowledge;
use super::model::State;
use super::replay::Replayed;
use super::report::{Law, Report};
use crate::history::{History, Operation, Range, Request, Step, Txn};

/// Answers of operations that changed nothing, by the revision whose state they tell.
pub fn pinned(history: &History) -> HashMap<i64, Vec<&Operation>> {
    let mut pinned: HashMap<i64, Vec<_>> = HashMap::new();
    for operation in history
        .operations
        .iter()
        .filter(|operation| !operation.changed_something())
    {
        let Some(answer) = operation.answer() else { continue };
        match &operation.request {
            Request::Range(range) if range.revision > 0 => pinned.entry(range.revision).or_default().push(operation),
            Request::Range(_) | Request::Delete(_) | Request::Txn(_) => {
                pinned.entry(answer.revision).or_default().push(operation);
            }
            _ => {}
        }
    }
    pinned
}

pub fn check_answer(operation: &Operation, state: &State, report: &mut Report) {
    let request = match &operation.request {
        Request::Range(range) => Request::Range(Range {
            revision: 0,
            ..range.clone()
        }),
        request => request.clone(),
    };
    let expected = state.evaluate(&request);
    if operation.answer().is_some_and(|answer| answer.body != expected.body) || !expected.changes.is_empty() {
        let text = format!(
            "{operation} does not fit the state at revision {}: {}",
            state.revision, expected.body
        );
        report.add(Law::ReadIsState, text);
    }
}

/// What the revisions of answers say about time.
pub fn check_times(history: &History, knowledge: &Knowledge<'_>, replayed: &Replayed, report: &mut Report) {
    for operation in &history.operations {
        let Some(revision) = operation.answer().map(|answer| answer.revision) else {
            continue;
        };
        if is_linearizable(operation) && !operation.changed_something() {
            check_not_stale(operation, revision, knowledge, report);
        }
        if replayed
            .asked
            .get(revision as usize)
            .is_none_or(|&asked| asked > operation.returned)
        {
            report.add(
                Law::NotFromTheFuture,
                format!("nobody had asked for revision {revision} yet: {operation}"),
            );
        }
    }
}

fn check_not_stale(operation: &Operation, revision: i64, knowledge: &Knowledge<'_>, report: &mut Report) {
    let known = knowledge.before(operation.invoked);
    if known > revision {
        report.add(
            Law::RealTime,
            format!(
                "{}, yet this is older: {operation}",
                knowledge.witness(operation.invoked)
            ),
        );
    }
}

fn is_linearizable(operation: &Operation) -> bool {
    match &operation.request {
        Request::Range(range) => !range.serializable,
        Request::Delete(_) | Request::Txn(_) | Request::Put(_) => true,
        // Their headers tell the revision of the member, not that of the operation.
        _ => false,
    }
}

/// Reasons of refusals, and answers that should have been refused.
pub fn check_floors(history: &History, knowledge: &Knowledge<'_>, compactions: &Compactions, report: &mut Report) {
    for operation in &history.operations {
        let Some(oldest) = oldest_revision(&operation.request) else {
            continue;
        };
        if let Some(reason) = operation.refusal() {
            check_reason(operation, oldest, reason, knowledge, compactions, report);
        } else if operation.answer().is_some()
            && is_linearizable(operation)
            && oldest < compactions.floor_before(operation.invoked)
        {
            report.add(
                Law::ReadIsState,
                format!("answered from below the compaction floor: {operation}"),
            );
        }
    }
}

fn check_reason(
    operation: &Operation,
    oldest: i64,
    reason: &str,
    knowledge: &Knowledge<'_>,
    compactions: &Compactions,
    report: &mut Report,
) {
    let compaction = matches!(operation.request, Request::Compact { .. });
    let needed = if compaction { oldest } else { oldest + 1 };
    if reason.contains("has been compacted") && compactions.highest_asked_by(operation.returned) < needed {
        report.add(
            Law::RefusedWithReason,
            format!("nobody had asked for such a compaction: {operation}"),
        );
    }
    let current = compaction || is_linearizable(operation);
    if reason.contains("future revision") && current && oldest <= knowledge.before(operation.invoked) {
        report.add(
            Law::RefusedWithReason,
            format!("the revision was known before: {operation}"),
        );
    }
}

/// The lowest old revision that a request names.
fn oldest_revision(request: &Request) -> Option<i64> {
    match request {
        Request::Range(range) => Some(range.revision).filter(|&revision| revision > 0),
        Request::Compact { revision } => Some(*revision),
        Request::Txn(txn) => oldest_of_txn(txn),
        _ => None,
    }
}

/// Both branches count for a refusal; for an answer the branch that was not taken may be anything.
fn oldest_of_txn(txn: &Txn) -> Option<i64> {
    let revisions = txn.success.iter().chain(&txn.failure).filter_map(|step| match step {
        Step::Range(range) => Some(range.revision).filter(|&revision| revision > 0),
        Step::Put(_) | Step::Delete(_) => None,
    });
    revisions.min()
}
