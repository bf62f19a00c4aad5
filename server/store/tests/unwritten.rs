//! History that is not written yet, and views that outlive its writing.

mod common;

use common::*;
use taffrail_proto::etcdserverpb::RangeRequest;
use taffrail_proto::mvccpb::KeyValue;
use taffrail_store::{Options, Store, View};

fn churn(fixture: &mut Fixture, rounds: usize) {
    for round in 0..rounds {
        for key in ["a", "b", "c"] {
            fixture.put(key, &format!("{key}{round}"));
        }
    }
}

/// All keys at each revision from the first change on.
fn all(view: &View, upto: i64) -> Vec<Vec<KeyValue>> {
    let at = |revision| RangeRequest {
        revision,
        ..range("a", "d")
    };
    (2..=upto)
        .map(|revision| view.range(&at(revision)).expect("it is readable").kvs)
        .collect()
}

#[test]
fn a_view_reads_the_same_before_and_after_its_history_is_written() {
    let mut fixture = Fixture::new();
    churn(&mut fixture, 5);
    let (view, revision) = (fixture.view(), fixture.view().revision());
    let before = all(&view, revision);
    churn(&mut fixture, 20);
    assert_eq!(all(&view, revision), before, "changes from after the view do not show");
    assert_eq!(all(&fixture.view(), revision), before);
    drop(view);
    assert_eq!(all(&fixture.reopen().view(), revision), before);
}

#[test]
fn a_larger_bound_at_the_next_open_makes_no_difference() {
    let mut fixture = Fixture::new();
    churn(&mut fixture, 20);
    let hash = fixture.view().hash_kv(30).unwrap();
    let before = all(&fixture.view(), 61);
    let Fixture {
        dir, store, applier, ..
    } = fixture;
    drop((store, applier));
    for unwritten_history_bytes in [1 << 20, 0, 500] {
        let options = Options {
            unwritten_history_bytes,
            ..options()
        };
        let (store, applier) = Store::open(dir.path(), &options).unwrap();
        assert_eq!(all(&store.view(), 61), before);
        assert_eq!(store.view().hash_kv(30).unwrap(), hash);
        drop((store, applier));
    }
}
