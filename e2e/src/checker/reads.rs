//! Answers against the state at their revision, and against what was known when they were asked for.

use std::collections::HashMap;

use super::compactions::Compactions;
use super::knowledge::Knowledge;
use super::model::State;
use super::replay::Replayed;
use super::report::{Law, Report};
use crate::history::{Body, History, Operation, Range, Request, Step};

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
            Request::Range(_) | Request::Delete(_) | Request::Txn(_) | Request::Revoke { .. } => {
                pinned.entry(answer.revision).or_default().push(operation);
            }
            _ => {}
        }
    }
    pinned
}

pub fn check_answer(operation: &Operation, state: &State, report: &mut Report) {
    let request = match &operation.request {
        Request::Revoke { lease } => return check_revocation(operation, *lease, state, report),
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

/// The answer comes after the end, so its revision is that of the end or later.
fn check_revocation(operation: &Operation, lease: i64, state: &State, report: &mut Report) {
    if let Some(keys) = state.attached(lease) {
        let text = format!("{operation} left keys at revision {}: {keys:?}", state.revision);
        report.add(Law::EndedLeaseHasNoKeys, text);
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
        let old = old_revisions(operation);
        let (Some(&lowest), Some(&highest)) = (old.iter().min(), old.iter().max()) else {
            continue;
        };
        if let Some(reason) = operation.refusal() {
            check_compacted(operation, lowest, reason, compactions, report);
            check_future(operation, highest, reason, knowledge, report);
        } else if operation.answer().is_some()
            && is_linearizable(operation)
            && lowest < compactions.floor_before(operation.invoked)
        {
            let text = format!("answered from below the compaction floor: {operation}");
            report.add(Law::ReadIsState, text);
        }
    }
}

fn check_compacted(operation: &Operation, lowest: i64, reason: &str, compactions: &Compactions, report: &mut Report) {
    let needed = lowest + i64::from(!is_compaction(operation));
    if reason.contains("has been compacted") && compactions.highest_asked_by(operation.returned) < needed {
        let text = format!("nobody had asked for such a compaction: {operation}");
        report.add(Law::RefusedWithReason, text);
    }
}

fn check_future(operation: &Operation, highest: i64, reason: &str, knowledge: &Knowledge<'_>, report: &mut Report) {
    let current = is_compaction(operation) || is_linearizable(operation);
    if reason.contains("future revision") && current && highest <= knowledge.before(operation.invoked) {
        let text = format!("{}, yet to {operation}", knowledge.witness(operation.invoked));
        report.add(Law::RefusedWithReason, text);
    }
}

fn is_compaction(operation: &Operation) -> bool {
    matches!(operation.request, Request::Compact { .. })
}

/// The old revisions that an operation needed. A transaction that was answered needed those of one branch only, one
/// that was refused perhaps those of the other.
fn old_revisions(operation: &Operation) -> Vec<i64> {
    match (&operation.request, operation.answer().map(|answer| &answer.body)) {
        (Request::Compact { revision }, None) => vec![*revision],
        (Request::Range(range), _) => old_revision(range).into_iter().collect(),
        (Request::Txn(txn), Some(Body::Txn { succeeded, .. })) => old_of(txn.branch(*succeeded)),
        (Request::Txn(txn), _) => [old_of(&txn.success), old_of(&txn.failure)].concat(),
        _ => Vec::new(),
    }
}

fn old_of(steps: &[Step]) -> Vec<i64> {
    let old = steps.iter().filter_map(|step| match step {
        Step::Range(range) => old_revision(range),
        Step::Put(_) | Step::Delete(_) => None,
    });
    old.collect()
}

fn old_revision(range: &Range) -> Option<i64> {
    Some(range.revision).filter(|&revision| revision > 0)
}
