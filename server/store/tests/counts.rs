//! Counting by chunks is exact, however keys come and go.

mod common;

use std::collections::BTreeSet;

use common::*;
use proptest::prelude::*;
use taffrail_proto::etcdserverpb::{InternalRaftRequest, RangeRequest};

fn name(key: u16) -> String {
    format!("k{key:05}")
}

fn count(fixture: &Fixture, from: u16, to: u16, revision: i64) -> i64 {
    let request = RangeRequest {
        count_only: true,
        revision,
        ..range(&name(from), &name(to))
    };
    fixture.range(request).count
}

/// Spreads keys without order but the same in every run.
fn scattered(n: u16) -> u16 {
    n.wrapping_mul(25_173).wrapping_add(13_849)
}

fn fill(fixture: &mut Fixture, keys: impl Iterator<Item = u16>) {
    let puts: Vec<_> = keys.map(|key| put(&name(key), "v")).collect();
    for batch in puts.chunks(500) {
        fixture.apply_all(batch);
    }
}

fn agrees(fixture: &Fixture, keys: &BTreeSet<u16>) {
    assert_eq!(fixture.store.sizes().keys, keys.len() as u64);
    for (from, to) in [
        (0, 65_535),
        (1, 100),
        (500, 2_600),
        (1_024, 1_025),
        (7, 40_000),
        (30_000, 65_000),
    ] {
        assert_eq!(
            count(fixture, from, to, 0),
            keys.range(from..to).count() as i64,
            "{from}..{to}"
        );
    }
}

#[test]
fn keys_in_order_and_scattered_keys_are_counted_through_splits() {
    let mut fixture = Fixture::new();
    let mut keys: BTreeSet<u16> = (0..3_000).collect();
    fill(&mut fixture, 0..3_000);
    agrees(&fixture, &keys);
    fill(&mut fixture, (0..6_000).map(scattered));
    keys.extend((0..6_000).map(scattered));
    agrees(&fixture, &keys);
    agrees(&fixture.reopen(), &keys);
}

#[test]
fn chunks_that_empty_vanish_and_keys_may_come_back() {
    let mut fixture = Fixture::new();
    let mut keys: BTreeSet<u16> = (0..5_000).map(scattered).collect();
    fill(&mut fixture, (0..5_000).map(scattered));
    let full = fixture.view().revision();
    fixture.delete(&name(100), &name(60_000));
    keys.retain(|key| *key < 100 || *key >= 60_000);
    agrees(&fixture, &keys);
    assert_eq!(
        count(&fixture, 0, 65_535, full),
        5_000,
        "what was there is still counted there"
    );
    fixture.delete("\0", "\0");
    agrees(&fixture, &BTreeSet::new());
    let mut fixture = fixture.reopen();
    fill(&mut fixture, 10..2_000);
    agrees(&fixture, &(10..2_000).collect());
}

#[test]
fn pages_count_everything_and_go_on_at_their_revision() {
    let mut fixture = Fixture::new();
    fill(&mut fixture, (0..3_000).map(scattered));
    let expected: BTreeSet<u16> = (0..3_000).map(scattered).collect();
    let (mut key, mut revision, mut found) = (bytes("k"), 0, Vec::new());
    loop {
        let page = fixture.range(RangeRequest {
            key,
            revision,
            limit: 500,
            ..range("", "l")
        });
        assert_eq!(page.count, 3_000 - found.len() as i64);
        revision = if revision == 0 {
            fixture.view().revision()
        } else {
            revision
        };
        found.extend(page.kvs);
        key = [found[found.len() - 1].key.as_ref(), b"\0"].concat().into();
        // What happens meanwhile must not show.
        fixture.put(&name(found.len() as u16 + 1), "new");
        fixture.delete("k5", "k6");
        if !page.more {
            break;
        }
    }
    let names: Vec<_> = expected.into_iter().map(name).collect();
    assert_eq!(found.iter().map(|kv| kv.key.clone()).collect::<Vec<_>>(), names);
    assert!(found.iter().all(|kv| kv.value == "v"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_mix_of_puts_and_deletions_is_counted(
        steps in proptest::collection::vec((any::<bool>(), any::<u16>(), 1u16..3_000), 1..12),
    ) {
        let (mut fixture, mut keys) = (Fixture::new(), BTreeSet::new());
        for (deletes, start, many) in steps {
            let end = start.saturating_add(many);
            if deletes {
                fixture.delete(&name(start), &name(end));
                keys.retain(|key| !(start..end).contains(key));
            } else {
                let puts: Vec<InternalRaftRequest> = (start..end).map(|key| put(&name(key), "v")).collect();
                fixture.apply_all(&puts);
                keys.extend(start..end);
            }
            agrees(&fixture, &keys);
        }
    }
}
