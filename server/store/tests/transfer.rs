//! A state goes to another member, whole or not at all.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use common::*;
use taffrail_proto::etcdserverpb::RangeRequest;
use taffrail_store::{Content, Entry, Export, OpenError, Position, ReceiveError, Received, Store, View};

fn churn(fixture: &mut Fixture, rounds: usize) {
    for round in 0..rounds {
        for key in ["a", "b", "c"] {
            fixture.put(key, &format!("{key}{round}"));
        }
        fixture.delete("b", "");
    }
}

fn chunks(view: &View) -> Vec<Bytes> {
    view.export().collect::<Result<_, _>>().expect("a view is readable")
}

fn receive(store: &Store, chunks: &[Bytes]) -> Result<Received, ReceiveError> {
    let mut incoming = store.receive()?;
    chunks.iter().try_for_each(|chunk| incoming.write(chunk))?;
    incoming.finish()
}

fn install(fixture: &mut Fixture, source: &View) {
    transfer(source, &fixture.store, &mut fixture.applier);
    fixture.index = source.position().index;
}

/// All that can be asked about a state.
fn told(view: &View) -> String {
    let ranges: Vec<_> = (view.compacted().max(1)..=view.revision())
        .map(|revision| {
            let all = RangeRequest {
                revision,
                ..range("\0", "\0")
            };
            (
                view.range(&all).expect("it is readable"),
                view.hash_kv(revision).expect("it can be hashed"),
            )
        })
        .collect();
    let events = view
        .events(view.compacted().max(1), 1000, 1 << 20, &|_| true)
        .expect("it is readable");
    let leases: Vec<_> = view.leases().expect("it is readable");
    let attached: Vec<_> = leases
        .iter()
        .map(|lease| view.lease_keys(lease.id).expect("it is readable"))
        .collect();
    let facts = (view.alarms(), view.cluster_version(), view.downgrade_info());
    let place = (
        view.position(),
        view.consensus_membership(),
        view.hash().expect("it can be hashed"),
    );
    format!("{ranges:?} {events:?} {leases:?} {attached:?} {facts:?} {place:?}")
}

/// Names in the store's folder.
fn folder(fixture: &Fixture) -> Vec<String> {
    let names = std::fs::read_dir(fixture.path()).expect("the folder is readable");
    let mut names: Vec<_> = names
        .map(|entry| {
            entry
                .expect("it is readable")
                .file_name()
                .into_string()
                .expect("it works")
        })
        .collect();
    names.sort();
    names
}

fn source() -> Fixture {
    let mut source = Fixture::new();
    source.apply(grant(7, 60));
    source.apply(put_with(taffrail_proto::etcdserverpb::PutRequest {
        lease: 7,
        ..put_request("leased", "v")
    }));
    churn(&mut source, 10);
    source.compact(20);
    churn(&mut source, 3);
    let position = Position {
        term: 1,
        index: source.index + 1,
    };
    let content = Content::Membership(Bytes::from("who votes"));
    source
        .applier
        .apply(&[Entry { position, content }])
        .expect("entries apply");
    source.index += 1;
    source
}

#[test]
fn everything_comes_over_and_stays_equal_as_the_log_goes_on() {
    let mut source = source();
    for cleaned_first in [false, true] {
        if cleaned_first {
            source.store.clean().expect("it is readable");
        }
        let mut target = Fixture::new();
        install(&mut target, &source.view());
        assert_eq!(told(&target.view()), told(&source.view()));
        assert_eq!(target.view().installed(), Some(source.view().position()));
        assert_eq!(target.store.sizes().in_use_bytes, source.store.sizes().in_use_bytes);
        assert_eq!(target.store.sizes().keys, source.store.sizes().keys);
        assert_eq!(target.store.sizes().total_bytes, target.store.sizes().in_use_bytes);
        let requests = [
            put("a", "after"),
            revoke(7),
            delete("a", "z"),
            compact(50),
            put("z", "last"),
        ];
        for request in requests {
            let (ours, theirs) = (target.apply(request.clone()), source.apply(request));
            assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
        }
        assert_eq!(told(&target.view()), told(&source.view()));
        target.store.clean().expect("it is readable");
        let target = target.reopen();
        assert_eq!(told(&target.view()), told(&source.view()));
        assert_eq!(target.store.sizes().in_use_bytes, source.store.sizes().in_use_bytes);
        source.apply(grant(7, 60));
        churn(&mut source, 3);
    }
}

#[test]
fn a_view_is_sent_as_it_was_pinned() {
    let mut source = source();
    let (view, before) = (source.view(), told(&source.view()));
    let mut exports: Vec<Export> = (0..3).map(|_| view.export()).collect();
    let mut targets: Vec<_> = exports.iter().map(|_| Fixture::new()).collect();
    let mut incoming: Vec<_> = targets
        .iter()
        .map(|target| target.store.receive().expect("it is readable"))
        .collect();
    let mut open = true;
    while open {
        open = false;
        for (export, incoming) in exports.iter_mut().zip(&mut incoming) {
            churn(&mut source, 2);
            if let Some(chunk) = export.next() {
                incoming.write(&chunk.expect("it is readable")).expect("it works");
                open = true;
            }
        }
        source.compact(source.view().revision());
        source.store.clean().expect("it is readable");
    }
    for (target, incoming) in targets.iter_mut().zip(incoming) {
        target
            .applier
            .install(incoming.finish().expect("it is readable"))
            .expect("it works");
        assert_eq!(told(&target.view()), before);
    }
}

#[test]
fn a_store_of_its_own_gives_way_again_and_again() {
    let mut source = source();
    let mut target = Fixture::new();
    target.put("mine", "1");
    let view = target.view();
    let handle = target.store.clone();
    for installed in ["installed-2", "installed-3"] {
        churn(&mut source, 2);
        install(&mut target, &source.view());
        assert_eq!(told(&handle.view()), told(&source.view()));
        assert!(folder(&target).contains(&installed.to_owned()));
    }
    assert_eq!(
        view.range(&range("mine", "")).expect("it is readable").count,
        1,
        "a view from before reads on"
    );
    assert!(folder(&target).contains(&"engine".to_owned()));
    drop((view, handle));
    assert_eq!(folder(&target), ["format", "installed-3"], "what nobody reads is gone");
    let mut target = target.reopen();
    assert_eq!(told(&target.view()), told(&source.view()));
    assert_eq!(target.view().installed(), Some(source.view().position()));
    target.put("mine", "2");
    assert_eq!(target.reopen().get("mine", 0).as_deref(), Some("2"));
}

#[test]
fn a_page_is_not_read_from_the_store_that_gave_way() {
    let (mut source, mut target) = (source(), Fixture::new());
    target.put("x", "1");
    target.put("y", "1");
    let page = RangeRequest {
        limit: 1,
        ..range("a", "z")
    };
    let view = target.view();
    assert!(view.range(&page).expect("it is readable").more);
    churn(&mut source, 1);
    install(&mut target, &source.view());
    assert!(
        view.range(&page).expect("it is readable").more,
        "it is not remembered again"
    );
    drop(view);
    assert_eq!(folder(&target), ["format", "installed-2"]);
}

#[test]
fn a_stream_that_is_not_whole_changes_nothing() {
    let source = source();
    let mut target = Fixture::new();
    target.put("mine", "1");
    let before = (told(&target.view()), folder(&target));
    let whole = chunks(&source.view());
    let broken = |change: &dyn Fn(&mut Vec<Bytes>)| {
        let mut chunks = whole.clone();
        change(&mut chunks);
        let refused = receive(&target.store, &chunks);
        assert!(matches!(refused, Err(ReceiveError::NotWhole(_))), "{refused:?}");
        assert_eq!((told(&target.view()), folder(&target)), before);
    };
    for at in 0..whole.len() {
        broken(&|chunks| drop(chunks.remove(at)));
        broken(&|chunks| {
            let mut flipped = chunks[at].to_vec();
            flipped[chunks[at].len() / 2] ^= 0x10;
            chunks[at] = flipped.into();
        });
    }
    broken(&|chunks| chunks.truncate(2));
    broken(&|chunks| chunks.swap(1, 2));
    broken(&|chunks| chunks.insert(1, chunks[1].clone()));
    broken(&|chunks| chunks[2] = chunks[2].slice(..chunks[2].len() - 1));
    broken(&|chunks| chunks.push(Bytes::from("more")));
}

#[test]
fn what_was_received_goes_if_it_is_not_installed() {
    let (source, mut target) = (source(), Fixture::new());
    let before = folder(&target);
    drop(target.store.receive().expect("it is readable"));
    drop(receive(&target.store, &chunks(&source.view())).expect("it is readable"));
    assert_eq!(folder(&target), before);
    let elsewhere = receive(&Fixture::new().store, &chunks(&source.view()));
    assert!(target.applier.install(elsewhere.expect("it is readable")).is_err());
}

/// The same store as a killed process would have left it.
fn after_crash(fixture: &Fixture) -> Fixture {
    let dir = tempfile::tempdir().expect("a folder");
    copy_folder(fixture.path(), dir.path());
    Fixture::open(dir, fixture.index)
}

#[test]
fn a_crash_leaves_one_state_or_the_other() {
    let (source, mut target) = (source(), Fixture::new());
    target.put("mine", "1");
    let (old, new) = (told(&target.view()), told(&source.view()));
    let mut incoming = target.store.receive().expect("it is readable");
    for chunk in chunks(&source.view()) {
        incoming.write(&chunk).expect("it is readable");
    }
    assert_eq!(told(&after_crash(&target).view()), old, "while it comes");
    let received = incoming.finish().expect("it is readable");
    std::fs::write(target.path().join("format"), "3\n").expect("it is readable");
    let crashed = after_crash(&target);
    assert_eq!(
        (told(&crashed.view()), folder(&crashed).len()),
        (old, 3),
        "before the swap"
    );
    let reader = target.view();
    target.applier.install(received).expect("it is readable");
    for half_gone in ["keyspaces", "engine/0.jnl", "engine/keyspaces", "engine"] {
        let crashed = after_crash(&target);
        assert_eq!(told(&crashed.view()), new, "after the swap, before {half_gone} is gone");
        assert_eq!(folder(&crashed), ["format", "installed-2"]);
        let path = target.path().join(half_gone);
        let gone = if path.is_dir() {
            std::fs::remove_dir_all(path)
        } else {
            std::fs::remove_file(path)
        };
        gone.expect("it is readable");
    }
    drop(reader);
}

#[test]
fn a_store_that_came_and_was_lost_is_not_begun_anew() {
    let (source, mut target) = (source(), Fixture::new());
    install(&mut target, &source.view());
    let Fixture {
        dir, store, applier, ..
    } = target;
    drop((store, applier));
    std::fs::remove_dir_all(dir.path().join("installed-2")).unwrap();
    let refused = Store::open(dir.path(), &options());
    assert!(matches!(refused, Err(OpenError::Damaged { .. })));
}

#[test]
fn a_state_older_than_the_one_in_use_is_refused() {
    let mut source = source();
    let old = source.view();
    churn(&mut source, 1);
    let received = receive(&source.store, &chunks(&old)).expect("it is readable");
    assert!(source.applier.install(received).is_err());
}

#[test]
fn chunks_stay_small_however_large_the_store_is() {
    let mut source = Fixture::new();
    let value = "v".repeat(5_000);
    for batch in 0..40 {
        let puts: Vec<_> = (0..50).map(|n| put(&format!("{batch}/{n}"), &value)).collect();
        source.apply_all(&puts);
    }
    source.put("large", &"v".repeat(1_500_000));
    let chunks = chunks(&source.view());
    assert!(chunks.iter().all(|chunk| chunk.len() < 1_600_000));
    let usual = chunks.iter().filter(|chunk| chunk.len() > 256 << 10).count();
    assert!(usual >= 20 && chunks.iter().filter(|chunk| chunk.len() > 600 << 10).count() == 1);
    let mut target = Fixture::new();
    target
        .applier
        .install(receive(&target.store, &chunks).expect("it is readable"))
        .expect("it is readable");
    assert_eq!(
        target.view().hash().expect("it is readable"),
        source.view().hash().expect("it works")
    );
}

#[test]
fn both_ends_can_work_on_threads_of_their_own() {
    fn moves_to_threads<T: Send + 'static>(_: &T) {}
    let (source, mut target) = (source(), Fixture::new());
    let (export, mut incoming) = (source.view().export(), target.store.receive().unwrap());
    moves_to_threads(&export);
    moves_to_threads(&incoming);
    export.for_each(|chunk| incoming.write(&chunk.unwrap()).unwrap());
    let received = incoming.finish().unwrap();
    moves_to_threads(&received);
    target.applier.install(received).unwrap();
    assert_eq!(told(&target.view()), told(&source.view()));
}

#[test]
fn an_empty_store_can_be_sent() {
    let (source, mut target) = (Fixture::new(), Fixture::new());
    install(&mut target, &source.view());
    target.put("a", "1");
    assert_eq!(target.reopen().get("a", 0).as_deref(), Some("1"));
}

#[test]
fn upkeep_and_readers_go_on_while_states_give_way() {
    let (mut source, mut target) = (source(), Fixture::new());
    let (store, done) = (target.store.clone(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let upkeep = scope.spawn(|| {
            let mut reached = 0;
            while !done.load(Ordering::Acquire) {
                store.clean().unwrap();
                let durable = store.persist().unwrap().index;
                let seen = store.view();
                assert!(durable >= reached && seen.position().index >= durable);
                assert_eq!(seen.hash_kv(0).unwrap(), seen.hash_kv(seen.revision()).unwrap());
                reached = seen.position().index;
            }
        });
        for _ in 0..5 {
            churn(&mut source, 2);
            source.compact(source.view().revision() - 3);
            install(&mut target, &source.view());
            target.put("after", "installed");
            source.put("after", "installed");
        }
        done.store(true, Ordering::Release);
        upkeep.join().unwrap();
    });
    assert_eq!(told(&target.view()), told(&source.view()));
    target.store.clean().unwrap();
    assert_eq!(target.store.sizes().total_bytes, source.store.sizes().in_use_bytes);
}
