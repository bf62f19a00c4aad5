//! Everything readable, compared.

use bytes::Bytes;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use taffrail_proto::etcdserverpb::RangeRequest;
use taffrail_store::{EventsError, LoadMeta, RangeError, Store};

use crate::common::{Fixture, copy_folder, options, transfer};
use crate::machine::Model;
use crate::requests;

pub fn everything(fixture: &Fixture, model: &Model, seed: u64) {
    let view = fixture.view();
    assert_eq!((view.revision(), view.compacted()), (model.revision, model.floor));
    ranges(fixture, model, seed);
    all_keys(fixture, model);
    events(fixture, model);
    hashes(fixture, model);
    leases(fixture, model);
    let sizes = fixture.store.sizes();
    assert_eq!(sizes.in_use_bytes, model.history.in_use_bytes(model.floor));
    assert!(sizes.total_bytes >= sizes.in_use_bytes);
    assert_eq!(sizes.keys, model.history.live(b"", b"\0", model.revision).len() as u64);
}

fn ranges(fixture: &Fixture, model: &Model, seed: u64) {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let range = requests::range(-1..=model.revision + 1);
    for _ in 0..60 {
        let request = range.new_tree(&mut runner).expect("requests can be made").current();
        check_range(fixture, model, &request);
    }
}

fn all_keys(fixture: &Fixture, model: &Model) {
    for revision in model.floor.max(1)..=model.revision {
        let (key, range_end) = (Bytes::from_static(b"\0"), Bytes::from_static(b"\0"));
        check_range(
            fixture,
            model,
            &RangeRequest {
                key,
                range_end,
                revision,
                ..RangeRequest::default()
            },
        );
    }
}

fn check_range(fixture: &Fixture, model: &Model, request: &RangeRequest) {
    let at = if request.revision <= 0 {
        model.revision
    } else {
        request.revision
    };
    match fixture.view().range(request) {
        Ok(response) => {
            assert!(at >= model.floor && at <= model.revision, "{request:?}");
            assert_eq!(
                response,
                model.history.range(request, at, model.revision),
                "{request:?}"
            );
        }
        Err(RangeError::Compacted(_)) => assert!(at < model.floor, "{request:?}"),
        Err(RangeError::FutureRevision(_)) => assert!(at > model.revision, "{request:?}"),
        Err(RangeError::Failure(why)) => panic!("{why}"),
    }
}

fn events(fixture: &Fixture, model: &Model) {
    for (from, wanted) in (model.floor - 1..=model.revision + 1).zip([0u8, b'a', b'b'].into_iter().cycle()) {
        let wanted = move |key: &[u8]| wanted == 0 || key.first() == Some(&wanted);
        if from < model.floor {
            let refused = fixture.view().events(from, 10, 1 << 20, &wanted);
            assert!(matches!(refused, Err(EventsError::Compacted(_))));
            continue;
        }
        let expected = model.events.iter().filter_map(|event| {
            let kv = event.kv.as_ref().expect("every event has a key");
            let mut event = event.clone();
            // The revision before the floor is gone.
            event.prev_kv = event.prev_kv.filter(|_| kv.mod_revision > model.floor);
            (kv.mod_revision >= from && wanted(&kv.key)).then_some(event)
        });
        assert_eq!(
            read_events(fixture, from, &wanted),
            expected.collect::<Vec<_>>(),
            "from {from}"
        );
    }
}

fn read_events(fixture: &Fixture, from: i64, wanted: &dyn Fn(&[u8]) -> bool) -> Vec<taffrail_proto::mvccpb::Event> {
    let (view, mut from, mut all) = (fixture.view(), from, Vec::new());
    while from <= view.revision() {
        let batch = view.events(from, 3, 200, wanted).expect("events are readable");
        assert!(batch.next_revision > from, "reading goes on");
        let revisions = batch
            .events
            .iter()
            .filter_map(|event| event.kv.as_ref())
            .map(|kv| kv.mod_revision);
        assert!(revisions.into_iter().all(|revision| revision < batch.next_revision));
        from = batch.next_revision;
        all.extend(batch.events);
    }
    all
}

fn hashes(fixture: &Fixture, model: &Model) {
    let view = fixture.view();
    for revision in [0, model.floor, (model.floor + model.revision) / 2, model.revision] {
        let revision = revision.max(0);
        if revision > 0 && revision < model.floor {
            continue;
        }
        let found = view.hash_kv(revision).expect("hashing works");
        let at = if revision == 0 { model.revision } else { revision };
        assert_eq!(
            found.hash,
            model.history.hash_kv(model.floor, at),
            "at {at} above {}",
            model.floor
        );
        assert_eq!((found.compact_revision, found.hash_revision), (model.floor, at));
        let kept: Result<Vec<_>, _> = view.revisions(at).expect("revisions are readable").collect();
        assert_eq!(kept.expect("revisions are whole"), model.history.kept(model.floor, at));
    }
}

fn leases(fixture: &Fixture, model: &Model) {
    let view = fixture.view();
    assert_eq!(
        view.leases().expect("leases are readable"),
        model.leases.values().copied().collect::<Vec<_>>()
    );
    for id in 0..4 {
        assert_eq!(
            view.lease(id).expect("a lease is readable"),
            model.leases.get(&id).copied()
        );
        if id > 0 {
            assert_eq!(view.lease_keys(id).expect("keys are readable"), model.lease_keys(id));
        }
    }
}

/// What a process that is killed leaves: the folder as it is at some moment.
pub fn crash(fixture: Fixture) -> Fixture {
    let dir = tempfile::tempdir().expect("a folder");
    copy_folder(fixture.path(), dir.path());
    let (store, applier) = Store::open(dir.path(), &options()).expect("the store opens after a crash");
    assert_eq!(applier.position().index, fixture.index);
    Fixture {
        dir,
        store,
        applier,
        index: fixture.index,
    }
}

/// Goes on in another folder, or where it is.
pub fn transferred(mut source: Fixture, elsewhere: bool) -> Fixture {
    let (view, sizes) = (source.view(), source.store.sizes());
    let mut target = if elsewhere {
        Fixture {
            index: source.index,
            ..Fixture::new()
        }
    } else {
        transfer(&view, &source.store, &mut source.applier);
        source
    };
    if elsewhere {
        transfer(&view, &target.store, &mut target.applier);
    }
    let after = target.store.sizes();
    assert_eq!((after.in_use_bytes, after.keys), (sizes.in_use_bytes, sizes.keys));
    assert!(after.total_bytes <= sizes.total_bytes);
    assert_eq!(target.view().hash().ok(), view.hash().ok());
    target
}

pub fn load_again(source: &Fixture) -> Fixture {
    let dir = tempfile::tempdir().expect("a folder");
    let view = source.view();
    let meta = LoadMeta {
        compacted: view.compacted(),
        revision: view.revision(),
        leases: view.leases().expect("leases are readable"),
        position: view.position(),
        ..LoadMeta::default()
    };
    let revisions = view.revisions(view.revision()).expect("revisions are readable");
    Store::load(dir.path(), &options(), meta, revisions).expect("the stream loads");
    let (store, applier) = Store::open(dir.path(), &options()).expect("the store opens");
    Fixture {
        dir,
        store,
        applier,
        index: source.index,
    }
}
