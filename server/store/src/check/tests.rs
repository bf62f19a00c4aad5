use super::*;
use crate::{Applier, Content, Entry, Options, Position, Store};
use bytes::Bytes;
use fjall::PersistMode;
use prost::Message;
use std::fs;
use std::path::Path;
use taffrail_proto::etcdserverpb::{
    CompactionRequest, DeleteRangeRequest, InternalRaftRequest, LeaseGrantRequest, PutRequest,
};

type Raft = InternalRaftRequest;

fn apply(applier: &mut Applier, request: Raft) {
    let index = applier.position().index + 1;
    let entry = Entry {
        position: Position { term: 1, index },
        content: Content::Request(request.encode_to_vec().into()),
    };
    applier.apply(&[entry]).unwrap();
}

fn put(key: &str, lease: i64) -> Raft {
    let put = PutRequest {
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: vec![7; 50].into(),
        lease,
        ..PutRequest::default()
    };
    Raft {
        put: Some(put),
        ..Raft::default()
    }
}

/// Keys that came, changed and went, some of them attached to a lease, with a compaction in between.
fn filled(dir: &Path) -> Store {
    let options = Options {
        unwritten_history_bytes: 1000,
        ..Options::default()
    };
    let (store, mut applier) = Store::open(dir, &options).unwrap();
    let grant = LeaseGrantRequest { id: 7, ttl: 60 };
    apply(
        &mut applier,
        Raft {
            lease_grant: Some(grant),
            ..Raft::default()
        },
    );
    for number in 0..600 {
        let lease = if number % 10 == 0 { 7 } else { 0 };
        apply(&mut applier, put(&format!("key {}", number % 250), lease));
    }
    let delete = DeleteRangeRequest {
        key: "key 1".into(),
        range_end: "key 2".into(),
        ..DeleteRangeRequest::default()
    };
    apply(
        &mut applier,
        Raft {
            delete_range: Some(delete),
            ..Raft::default()
        },
    );
    let compaction = CompactionRequest {
        revision: 200,
        physical: false,
    };
    apply(
        &mut applier,
        Raft {
            compaction: Some(compaction),
            ..Raft::default()
        },
    );
    for number in 0..50 {
        apply(&mut applier, put(&format!("key {number}"), 0));
    }
    store.clean().unwrap();
    store
}

fn check(dir: &Path) -> CheckReport {
    StoppedStore::open(dir).unwrap().check(&mut |_| {})
}

#[test]
fn a_store_that_was_used_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path()));
    let report = check(dir.path());
    assert_eq!(report.findings, []);
    assert!(report.keys > 100 && report.log_rows > 400 && report.history_rows > 0 && report.tables > 0);
    assert!(report.leases == 1 && report.attached_keys > 0);
}

#[test]
fn a_row_that_is_lost_or_wrong_is_named() {
    type Harm = fn(&Store);
    let cases: [(&str, Harm); 4] = [
        // The change that wrote it leads nowhere now.
        ("log", |store| {
            let engine = store.shared().newest().engine.clone();
            engine.current.remove(&b"key 33"[..]).unwrap();
        }),
        ("current", |store| {
            let engine = store.shared().newest().engine.clone();
            // The last change but one: nothing in the log but the row itself tells of it.
            let at = crate::Revision {
                main: store.shared().newest().state.revision,
                sub: 0,
            };
            engine.log.remove(&crate::schema::revision::key(at)[..]).unwrap();
        }),
        ("system", |store| {
            let engine = store.shared().newest().engine.clone();
            let row = crate::schema::attachment::key(9, b"nobody");
            engine.system.insert(row, Bytes::new()).unwrap();
        }),
        ("system", |store| {
            let engine = store.shared().newest().engine.clone();
            engine.system.insert(&b"?"[..], Bytes::new()).unwrap();
        }),
    ];
    for (keyspace, harm) in cases {
        let dir = tempfile::tempdir().unwrap();
        let store = filled(dir.path());
        harm(&store);
        let newest = store.shared().newest();
        newest.engine.database.persist(PersistMode::SyncAll).unwrap();
        drop((newest, store));
        let report = check(dir.path());
        let named = report.findings.iter().any(|finding| finding.keyspace == keyspace);
        assert!(named && report.damages > 0, "{keyspace}: {:?}", report.findings);
    }
}

#[test]
fn a_flipped_byte_in_a_table_is_found_wherever_it_is() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path()));
    let table = first_table(&dir.path().join("engine/keyspaces")).unwrap();
    let whole = fs::read(&table).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 7) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x20;
        fs::write(&table, &flipped).unwrap();
        let found = match StoppedStore::open(dir.path()) {
            Err(_) => true,
            Ok(stopped) => stopped.check(&mut |_| {}).damages > 0,
        };
        assert!(found, "byte {at} of {}", table.display());
    }
}

fn first_table(keyspaces: &Path) -> Option<std::path::PathBuf> {
    let tables = fs::read_dir(keyspaces)
        .unwrap()
        .map(|entry| entry.unwrap().path().join("tables"));
    let files = tables.filter_map(|tables| fs::read_dir(tables).ok()).flatten();
    files
        .map(|entry| entry.unwrap().path())
        .max_by_key(|path| fs::metadata(path).unwrap().len())
}
