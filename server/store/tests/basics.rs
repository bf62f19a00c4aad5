//! The promises of a single key.

mod common;

use common::*;
use taffrail_proto::etcdserverpb::{PutRequest, RangeRequest};
use taffrail_store::{ApplyError, Compacted, FutureRevision, KeyNotFound, LeaseNotFound, RangeError, Response};

#[test]
fn a_fresh_store_is_at_revision_one_and_the_first_put_makes_two() {
    let mut fixture = Fixture::new();
    assert_eq!((fixture.view().revision(), fixture.view().compacted()), (1, -1));
    assert_eq!(fixture.put("k", "v").revision, 2);
    assert_eq!(fixture.view().revision(), 2);
}

#[test]
fn versions_count_up_and_start_again_after_a_deletion() {
    let mut fixture = Fixture::new();
    fixture.put("k", "1");
    fixture.put("k", "2");
    fixture.delete("k", "");
    fixture.put("k", "3");
    let kv = fixture.range(range("k", "")).kvs.remove(0);
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (5, 5, 1));
    assert_eq!(fixture.get("k", 2).as_deref(), Some("1"));
    assert_eq!(fixture.get("k", 3).as_deref(), Some("2"));
    assert_eq!(fixture.get("k", 4), None);
}

#[test]
fn deleting_nothing_keeps_the_revision() {
    let mut fixture = Fixture::new();
    let applied = fixture.delete("a", "z");
    assert_eq!(applied.revision, 1);
    assert!(applied.events.is_empty());
}

#[test]
fn a_deletion_of_many_is_one_revision_in_key_order() {
    let mut fixture = Fixture::new();
    for key in ["c", "a", "b"] {
        fixture.put(key, key);
    }
    let applied = fixture.delete("a", "z");
    let keys: Vec<_> = applied
        .events
        .iter()
        .filter_map(|event| event.kv.clone())
        .map(|kv| kv.key)
        .collect();
    assert_eq!(keys, ["a", "b", "c"]);
    assert!(applied.events.iter().all(|event| event.prev_kv.is_some()));
    let Ok(Response::DeleteRange(response)) = applied.answer else {
        panic!("not a deletion")
    };
    assert_eq!((response.deleted, response.prev_kvs.len(), applied.revision), (3, 3, 5));
}

#[test]
fn keeping_the_value_or_lease_of_a_missing_key_is_refused() {
    let mut fixture = Fixture::new();
    let request = PutRequest {
        ignore_value: true,
        ..put_request("k", "")
    };
    let applied = fixture.apply(put_with(request));
    assert_eq!(applied.answer, Err(ApplyError::KeyNotFound(KeyNotFound)));
    assert_eq!(applied.revision, 1);
}

#[test]
fn keeping_value_and_lease_keeps_both() {
    let mut fixture = Fixture::new();
    fixture.apply(grant(7, 60));
    fixture.apply(put_with(PutRequest {
        lease: 7,
        ..put_request("k", "v")
    }));
    fixture.apply(put_with(PutRequest {
        ignore_value: true,
        ignore_lease: true,
        ..put_request("k", "")
    }));
    let kv = fixture.range(range("k", "")).kvs.remove(0);
    assert_eq!((&kv.value[..], kv.lease, kv.version), (&b"v"[..], 7, 2));
}

#[test]
fn a_put_with_an_unknown_lease_is_refused() {
    let mut fixture = Fixture::new();
    let applied = fixture.apply(put_with(PutRequest {
        lease: 9,
        ..put_request("k", "v")
    }));
    assert_eq!(applied.answer, Err(ApplyError::LeaseNotFound(LeaseNotFound(9))));
}

#[test]
fn reads_at_the_floor_succeed_and_below_it_are_refused() {
    let mut fixture = Fixture::new();
    for value in ["1", "2", "3"] {
        fixture.put("k", value);
    }
    fixture.compact(3);
    assert_eq!(fixture.get("k", 3).as_deref(), Some("2"));
    let below = fixture.view().range(&RangeRequest {
        revision: 2,
        ..range("k", "")
    });
    assert!(matches!(
        below,
        Err(RangeError::Compacted(Compacted {
            wanted: 2,
            compacted: 3
        }))
    ));
    let ahead = fixture.view().range(&RangeRequest {
        revision: 5,
        ..range("k", "")
    });
    assert!(matches!(
        ahead,
        Err(RangeError::FutureRevision(FutureRevision { wanted: 5, current: 4 }))
    ));
}

#[test]
fn compaction_keeps_to_its_bounds() {
    let mut fixture = Fixture::new();
    fixture.put("k", "v");
    let outcomes = [-1, 0, 0, 3, 2, 2].map(|revision| fixture.compact(revision).answer.err());
    let compacted = |wanted, compacted| Some(ApplyError::Compacted(Compacted { wanted, compacted }));
    let future = Some(ApplyError::FutureRevision(FutureRevision { wanted: 3, current: 2 }));
    assert_eq!(
        outcomes,
        [compacted(-1, -1), None, compacted(0, 0), future, None, compacted(2, 2)]
    );
}

#[test]
fn entries_already_applied_are_skipped() {
    let mut fixture = Fixture::new();
    let entry = fixture.entry(&put("k", "v"));
    fixture.applier.apply(std::slice::from_ref(&entry)).unwrap();
    let mut fixture = fixture.reopen();
    let again = fixture.applier.apply(&[entry]).unwrap().remove(0);
    assert_eq!((again.answer, again.revision), (Ok(Response::Nothing), 2));
    assert!(again.events.is_empty());
}

#[test]
fn what_was_applied_is_there_after_opening_again() {
    let mut fixture = Fixture::new();
    fixture.put("k", "1");
    fixture.put("k", "2");
    fixture.compact(2);
    let before = fixture.view();
    let facts = (
        before.revision(),
        before.compacted(),
        before.position(),
        before.hash().unwrap(),
    );
    drop(before);
    let fixture = fixture.reopen();
    let after = fixture.view();
    assert_eq!(
        (
            after.revision(),
            after.compacted(),
            after.position(),
            after.hash().unwrap()
        ),
        facts
    );
    assert_eq!(fixture.get("k", 2).as_deref(), Some("1"));
}

#[test]
fn a_folder_in_use_is_refused() {
    let fixture = Fixture::new();
    let second = taffrail_store::Store::open(fixture.path(), &options());
    assert!(matches!(second.err(), Some(taffrail_store::OpenError::InUse { .. })));
}

#[test]
fn bytes_that_are_no_request_are_refused_and_the_position_moves_on() {
    let mut fixture = Fixture::new();
    let mut entry = fixture.entry(&put("k", "v"));
    entry.content = taffrail_store::Content::Request(bytes("\u{1}not a request"));
    let applied = fixture.applier.apply(&[entry]).unwrap().remove(0);
    assert!(matches!(applied.answer, Err(ApplyError::Malformed(_))));
    assert_eq!(fixture.view().position().index, 1);
}
