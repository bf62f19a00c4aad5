//! Bugs in when things happen.

use super::*;

const SECOND: u64 = 1_000_000;

#[test]
fn a_stale_read_is_found() {
    let mut history = clean(1);
    let read = find(&history, is_read);
    let earlier = history.operations[..read - 100]
        .iter()
        .rposition(is_read)
        .expect("the history has reads");
    let (request, outcome) = (
        history.operations[earlier].request.clone(),
        history.operations[earlier].outcome.clone(),
    );
    (history.operations[read].request, history.operations[read].outcome) = (request, outcome);
    assert_breaks(&history, Law::RealTime);
}

#[test]
fn a_revision_that_goes_back_is_found() {
    let mut history = clean(1);
    let put = find(&history, is_put);
    // As if everything between had been forgotten: the write was asked for after later revisions were told.
    history.operations[put].invoked += SECOND;
    history.operations[put].returned += SECOND;
    assert_breaks(&history, Law::RealTime);
}

#[test]
fn an_answer_from_the_future_is_found() {
    let mut history = clean(1);
    let read = find(&history, is_read);
    history.operations[read].invoked -= SECOND;
    history.operations[read].returned -= SECOND;
    assert_breaks(&history, Law::NotFromTheFuture);
}

#[test]
fn a_lease_that_ends_early_is_found() {
    assert!(with(Slip::EndLeaseEarly).broke(Law::LeaseLastsItsTime));
}

#[test]
fn a_lease_denied_while_it_lasts_is_found() {
    assert!(with(Slip::LoseLease).broke(Law::LeaseLastsItsTime));
}

#[test]
fn a_lease_that_leaves_a_key_behind_is_found() {
    assert!(with(Slip::ForgetKeyOfLease).broke(Law::EveryChangeHasACause));
}
