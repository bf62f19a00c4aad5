//! The store against a model that keeps every version of every key in plain maps.
//!
//! Random requests go to both; answers and events must be equal, and so must everything that can be read afterwards:
//! ranges at any readable revision, events from any, hashes, leases, sizes. In between the store is cleaned, opened
//! again, opened from a copy of its folder taken while it was running, or sent to another one.

mod checks;
#[path = "../common/mod.rs"]
mod common;
mod history;
mod machine;
mod requests;

use common::Fixture;
use machine::Model;
use proptest::prelude::*;
use requests::{Step, steps};

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_the_model_does(steps in steps(), seed: u64) {
        let mut fixture = Fixture::new();
        let mut model = Model::new();
        for batch in steps {
            fixture = step(fixture, &mut model, batch, seed);
        }
        checks::everything(&fixture, &model, seed);
    }

    #[test]
    fn how_entries_are_batched_makes_no_difference(steps in steps()) {
        let (mut whole, mut single) = (Fixture::new(), Fixture::new());
        for batch in steps {
            if let Step::Apply(requests) = batch {
                let together = whole.apply_all(&requests);
                let apart: Vec<_> = requests.into_iter().map(|request| single.apply(request)).collect();
                prop_assert_eq!(format!("{together:?}"), format!("{apart:?}"));
            }
        }
        let whole = whole.reopen();
        prop_assert_eq!(whole.view().hash().unwrap(), single.view().hash().unwrap());
        prop_assert_eq!(whole.store.sizes().in_use_bytes, single.store.sizes().in_use_bytes);
    }

    #[test]
    fn a_store_loaded_from_revisions_reads_like_its_source(steps in steps(), seed: u64) {
        let mut source = Fixture::new();
        let mut model = Model::new();
        for batch in steps {
            source = step(source, &mut model, batch, seed);
        }
        // A key that one transaction changes twice, which the api refuses, has two versions at that revision. If it is
        // the floor, a compacted store keeps the last of them alone, and so does everything made of it.
        prop_assume!(!model.changes_a_key_twice_at(model.floor));
        let loaded = checks::load_again(&source);
        checks::everything(&loaded, &model, seed);
    }
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(32)
}

fn step(mut fixture: Fixture, model: &mut Model, step: Step, seed: u64) -> Fixture {
    match step {
        Step::Apply(requests) => {
            let applied = fixture.apply_all(&requests);
            for (applied, request) in applied.into_iter().zip(&requests) {
                let expected = model.apply(request);
                assert_eq!((applied.answer, applied.events), expected, "to {request:?}");
                assert_eq!(applied.revision, model.revision);
            }
            fixture
        }
        Step::Clean => {
            fixture.store.clean().expect("cleaning works");
            let sizes = fixture.store.sizes();
            assert!(model.floor < 0 || sizes.total_bytes == sizes.in_use_bytes, "{sizes:?}");
            fixture
        }
        Step::Reopen => fixture.reopen(),
        Step::Crash => checks::crash(fixture),
        Step::Transfer { elsewhere } => checks::transferred(fixture, elsewhere),
        Step::Check => {
            checks::everything(&fixture, model, seed);
            fixture
        }
    }
}
