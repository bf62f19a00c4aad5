//! Bugs in what is written and answered.

use super::*;

#[test]
fn a_lost_write_is_found() {
    let mut history = clean(1);
    let lost = find(&history, is_put);
    let revision = *answer(&mut history.operations[lost]).0;
    for heard in &mut history.heard {
        if let News::Events(events) = &mut heard.news {
            events.retain(|event| event.pair.modified != revision);
        }
    }
    assert_breaks(&history, Law::AcknowledgedIsKept);
}

#[test]
fn a_write_applied_twice_is_found() {
    assert!(with(Slip::ApplyTwice).broke(Law::WrittenOnce));
}

#[test]
fn a_refused_write_that_happened_is_found() {
    let mut history = clean(1);
    let put = find(&history, is_put);
    history.operations[put].outcome = Outcome::Refused("no".to_owned());
    assert_breaks(&history, Law::WrittenOnce);
}

#[test]
fn two_writes_at_one_revision_are_found() {
    let mut history = clean(1);
    let (one, other) = (
        find(&history, is_put),
        history
            .operations
            .iter()
            .position(is_put)
            .expect("the history has puts"),
    );
    let revision = *answer(&mut history.operations[other]).0;
    *answer(&mut history.operations[one]).0 = revision;
    assert_breaks(&history, Law::OneWritePerRevision);
}

#[test]
fn a_change_that_nobody_asked_for_is_found() {
    let mut history = clean(1);
    let put = find(&history, is_put);
    history.operations.remove(put);
    assert_breaks(&history, Law::EveryChangeHasACause);
}

#[test]
fn a_txn_decided_on_the_wrong_state_is_found() {
    let report = with(Slip::DecideWrongly);
    assert!(
        report.broke(Law::WriteAnswersByState) || report.broke(Law::ReadIsState),
        "{report}"
    );
}

#[test]
fn a_wrong_previous_pair_is_found() {
    let mut history = clean(1);
    let put = find(&history, |put| {
        is_put(put)
            && matches!(
                put.answer().map(|answer| &answer.body),
                Some(Body::Put { prev: Some(_) })
            )
    });
    if let Body::Put { prev: Some(pair) } = answer(&mut history.operations[put]).1 {
        pair.version += 1;
    }
    assert_breaks(&history, Law::WriteAnswersByState);
}

#[test]
fn a_read_of_something_else_is_found_with_and_without_revisions() {
    let mut history = clean(1);
    let is_register = |read: &Operation| matches!(&read.request, Request::Range(range) if range.span.width() == 1 && range.span.from.0 < 3);
    let has_pair = |read: &Operation| {
        matches!(
            read.answer().map(|answer| &answer.body),
            Some(Body::Range { count: 1, .. })
        )
    };
    let read = find(&history, |read| is_read(read) && is_register(read) && has_pair(read));
    if let Body::Range { pairs, .. } = answer(&mut history.operations[read]).1 {
        pairs[0].value += 1;
    }
    assert_breaks(&history, Law::ReadIsState);
    assert_breaks(&history, Law::Linearizable);
}

#[test]
fn members_that_differ_are_found() {
    let mut history = clean(1);
    if let Some(Body::Hash { hash, .. }) = history.operations.last_mut().map(|hashed| answer(hashed).1) {
        *hash += 1;
    }
    assert_breaks(&history, Law::MembersAgree);

    let mut history = clean(1);
    let told = history.operations.len() - 2;
    if let Body::Range { pairs, .. } = answer(&mut history.operations[told]).1 {
        pairs.pop();
    }
    assert_breaks(&history, Law::ReadIsState);
}

#[test]
fn a_read_below_the_compaction_floor_is_found() {
    let mut history = clean(1);
    let old = find(&history, |read| {
        matches!(&read.request, Request::Range(range) if range.revision > 0) && read.answer().is_some()
    });
    let revision = history.operations[old].invoked;
    for compaction in &mut history.operations {
        if matches!(compaction.request, Request::Compact { .. })
            && compaction.returned < revision
            && compaction.answer().is_some()
        {
            compaction.request = Request::Compact { revision: 100_000 };
        }
    }
    assert_breaks(&history, Law::ReadIsState);
}

#[test]
fn a_compaction_that_never_was_is_no_excuse() {
    let mut history = clean(1);
    history
        .operations
        .retain(|operation| !matches!(operation.request, Request::Compact { .. }));
    assert_breaks(&history, Law::RefusedWithReason);
}
