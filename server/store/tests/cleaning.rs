//! What compaction gives back, and what it must not touch.

mod common;

use common::*;
use taffrail_store::{EventsError, HashKv};

/// Large values, so that the engine has tables to drop.
fn churn(fixture: &mut Fixture, revisions: usize) {
    let value = "v".repeat(4_000);
    for batch in 0..revisions / 50 {
        let puts: Vec<_> = (0..50)
            .map(|n| put(&format!("k{}", (batch + n) % 20), &value))
            .collect();
        fixture.apply_all(&puts);
    }
}

#[test]
fn cleaning_gives_the_space_back_while_writing_goes_on() {
    let mut fixture = Fixture::new();
    churn(&mut fixture, 5_000);
    let before = fixture.store.sizes();
    fixture.compact(5_001);
    let compacted = fixture.store.sizes();
    assert!(
        compacted.in_use_bytes < before.in_use_bytes / 50,
        "the floor counts at once"
    );
    assert_eq!(compacted.total_bytes, before.total_bytes, "nothing is dropped yet");
    let dropped = fixture.store.clean().unwrap();
    let after = fixture.store.sizes();
    assert_eq!(dropped, before.total_bytes - compacted.in_use_bytes);
    assert_eq!(after.total_bytes, after.in_use_bytes);
    assert_eq!(fixture.store.clean().unwrap(), 0, "a second time there is nothing left");
    fixture.put("k0", "after");
    assert_eq!(fixture.get("k0", 0).as_deref(), Some("after"));
    assert_eq!(fixture.get("k0", 5_001).map(|value| value.len()), Some(4_000));
}

#[test]
fn a_view_from_before_still_reads_what_was_dropped_since() {
    let mut fixture = Fixture::new();
    churn(&mut fixture, 2_000);
    let (view, hash) = (fixture.view(), fixture.view().hash_kv(0).unwrap());
    fixture.compact(2_001);
    fixture.store.clean().unwrap();
    assert_eq!(view.hash_kv(0).unwrap(), hash);
    assert_eq!(
        view.events(2, 10_000, usize::MAX, &|_| true).unwrap().events.len(),
        2_000
    );
}

#[test]
fn the_floors_own_events_stay_and_those_below_are_refused() {
    let mut fixture = Fixture::new();
    for value in ["1", "2", "3"] {
        fixture.put("k", value);
    }
    fixture.compact(3);
    fixture.store.clean().unwrap();
    let batch = fixture.view().events(3, 10, 1 << 20, &|_| true).unwrap();
    let values: Vec<_> = batch
        .events
        .iter()
        .filter_map(|event| event.kv.clone())
        .map(|kv| kv.value)
        .collect();
    assert_eq!((values, batch.next_revision), (vec![bytes("2"), bytes("3")], 5));
    assert!(batch.events[0].prev_kv.is_none() && batch.events[1].prev_kv.is_some());
    let below = fixture.view().events(2, 10, 1 << 20, &|_| true);
    assert!(matches!(below, Err(EventsError::Compacted(_))));
}

/// What a member tells others of itself to be compared.
fn hashes(fixture: &Fixture) -> Vec<HashKv> {
    let view = fixture.view();
    let revisions = view.compacted()..=view.revision();
    revisions
        .map(|revision| view.hash_kv(revision).expect("it can be hashed"))
        .collect()
}

#[test]
fn members_hash_alike_however_far_their_cleaning_got_and_wherever_their_state_came_from() {
    let (mut lazy, mut eager, mut late) = (Fixture::new(), Fixture::new(), Fixture::new());
    let mut came = Vec::new();
    for round in 0..6 {
        for fixture in [&mut lazy, &mut eager, &mut late].into_iter().chain(&mut came) {
            churn(fixture, 50);
            fixture.delete("k1", "k15");
            fixture.put("k1", "again");
            fixture.delete("k1", "");
            let floor = fixture.view().revision() - [0, 1, 2, 30][round % 4];
            fixture.compact(floor);
        }
        eager.store.clean().unwrap();
        if round == 3 {
            late.store.clean().unwrap();
        }
        let expected = hashes(&lazy);
        for fixture in [&eager, &late].into_iter().chain(&came) {
            assert_eq!(hashes(fixture), expected, "in round {round}");
        }
        let mut other = Fixture::new();
        let from = if round % 2 == 0 { &lazy } else { &eager };
        transfer(&from.view(), &other.store, &mut other.applier);
        other.index = from.index;
        assert_eq!(hashes(&other), expected);
        came.push(other);
    }
    let in_use = lazy.store.sizes().in_use_bytes;
    assert!(came.iter().all(|fixture| fixture.store.sizes().in_use_bytes == in_use));
}
