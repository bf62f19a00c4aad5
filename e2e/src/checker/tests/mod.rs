//! The checker passes a correct history and finds every bug that is planted into one.

mod answers;
mod imagined;
mod listeners;
mod time;

use super::{Law, Report, check};
use crate::history::{Body, Heard, History, News, Operation, Outcome, Request};
use imagined::{Imagined, Slip};

const OPERATIONS: u64 = 600;

fn clean(seed: u64) -> History {
    Imagined::play(seed, OPERATIONS, None)
}

fn with(slip: Slip) -> Report {
    check(&Imagined::play(1, OPERATIONS, Some(slip)))
}

#[track_caller]
fn assert_breaks(history: &History, law: Law) {
    let report = check(history);
    assert!(report.broke(law), "{law:?} was broken, but the report is:\n{report}");
}

#[test]
fn correct_histories_pass() {
    for seed in 0..30 {
        let history = clean(seed);
        let report = check(&history);
        assert!(report.is_clean(), "seed {seed}:\n{report}");
    }
}

#[test]
fn a_correct_history_has_something_of_everything() {
    let history = clean(3);
    let some = |wanted: fn(&Operation) -> bool| history.operations.iter().filter(|operation| wanted(operation)).count();
    assert!(some(Operation::is_unknown) > 10);
    assert!(some(|operation| matches!(operation.request, Request::Txn(_)) && operation.changed_something()) > 10);
    assert!(some(|operation| matches!(operation.request, Request::KeepAlive { .. })) > 3);
    assert!(some(|operation| matches!(operation.request, Request::Compact { .. })) > 3);
    assert!(
        history
            .heard
            .iter()
            .filter(|heard| matches!(heard.news, News::Progress))
            .count()
            > 10
    );
}

/// The answer of an operation that has one.
fn answer(operation: &mut Operation) -> (&mut i64, &mut Body) {
    match &mut operation.outcome {
        Outcome::Ok(answer) => (&mut answer.revision, &mut answer.body),
        outcome => panic!("no answer but {outcome}"),
    }
}

/// The last operation of a kind in the first two thirds, so that enough comes before and after it.
fn find(history: &History, wanted: impl Fn(&Operation) -> bool) -> usize {
    let range = ..history.operations.len() * 2 / 3;
    history.operations[range]
        .iter()
        .rposition(wanted)
        .expect("the history has one")
}

fn is_read(operation: &Operation) -> bool {
    let linearizable =
        matches!(&operation.request, Request::Range(range) if !range.serializable && range.revision == 0);
    linearizable && operation.answer().is_some()
}

fn is_put(operation: &Operation) -> bool {
    matches!(operation.request, Request::Put(_)) && operation.answer().is_some()
}

/// Responses with events to one watcher, by their places in the history.
fn responses(history: &History, watch: u64) -> Vec<usize> {
    let with_events = |heard: &Heard| heard.watch == watch && matches!(heard.news, News::Events(_));
    let places = history.heard.iter().enumerate().filter(|(_, heard)| with_events(heard));
    places.map(|(place, _)| place).collect()
}
