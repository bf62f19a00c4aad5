//! A store in a folder of its own, fed with requests as the log would.

#![allow(dead_code, reason = "every test file uses its own part")]

pub mod auth;

use std::path::Path;

use bytes::Bytes;
use prost::Message;
use taffrail_proto::etcdserverpb::request_op::Request;
use taffrail_proto::etcdserverpb::{
    CompactionRequest, DeleteRangeRequest, InternalRaftRequest, LeaseGrantRequest, LeaseRevokeRequest, PutRequest,
    RangeRequest, RangeResponse, RequestOp, TxnRequest,
};
use taffrail_store::{Applied, Applier, Content, Entry, Options, Position, Store, View};
use tempfile::TempDir;

pub fn options() -> Options {
    Options {
        cache_bytes: 4 << 20,
        memtable_bytes: 1 << 20,
        recent_records_bytes: 64 << 10,
        // About ten rows.
        unwritten_history_bytes: 1000,
    }
}

pub struct Fixture {
    pub dir: TempDir,
    pub store: Store,
    pub applier: Applier,
    pub index: u64,
}

impl Fixture {
    pub fn new() -> Self {
        Self::open(tempfile::tempdir().expect("a folder"), 0)
    }

    pub fn open(dir: TempDir, index: u64) -> Self {
        let (store, applier) = Store::open(dir.path(), &options()).expect("the store opens");
        Self {
            dir,
            store,
            applier,
            index,
        }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn reopen(self) -> Self {
        let Self {
            dir,
            store,
            applier,
            index,
        } = self;
        drop((store, applier));
        Self::open(dir, index)
    }

    pub fn entry(&mut self, request: &InternalRaftRequest) -> Entry {
        self.index += 1;
        Entry {
            position: Position {
                term: 1,
                index: self.index,
            },
            content: Content::Request(request.encode_to_vec().into()),
        }
    }

    pub fn apply(&mut self, request: InternalRaftRequest) -> Applied {
        self.apply_all(&[request]).remove(0)
    }

    pub fn apply_all(&mut self, requests: &[InternalRaftRequest]) -> Vec<Applied> {
        let entries: Vec<_> = requests.iter().map(|request| self.entry(request)).collect();
        self.applier.apply(&entries).expect("entries apply")
    }

    pub fn put(&mut self, key: &str, value: &str) -> Applied {
        self.apply(put(key, value))
    }

    pub fn delete(&mut self, key: &str, end: &str) -> Applied {
        self.apply(delete(key, end))
    }

    pub fn compact(&mut self, revision: i64) -> Applied {
        self.apply(compact(revision))
    }

    pub fn view(&self) -> View {
        self.store.view()
    }

    pub fn range(&self, request: RangeRequest) -> RangeResponse {
        self.view().range(&request).expect("the range is readable")
    }

    /// The value at a revision; 0 is now.
    pub fn get(&self, key: &str, revision: i64) -> Option<String> {
        let response = self.range(RangeRequest {
            revision,
            ..range(key, "")
        });
        response
            .kvs
            .first()
            .map(|kv| String::from_utf8(kv.value.to_vec()).expect("values are text"))
    }
}

/// As it is at this moment.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("the folder is readable") {
        let entry = entry.expect("the folder is readable");
        let target = to.join(entry.file_name());
        match entry.file_type().expect("a file has a type").is_dir() {
            true => copy_folder(&entry.path(), &target),
            // A file dropped meanwhile is none that is needed.
            false => drop(std::fs::copy(entry.path(), target)),
        }
    }
}

/// Sends the state of one store to another.
pub fn transfer(from: &View, to: &Store, applier: &mut Applier) {
    let mut incoming = to.receive().expect("there is room");
    for chunk in from.export() {
        incoming
            .write(&chunk.expect("a view is readable"))
            .expect("the chunk is whole");
    }
    let received = incoming.finish().expect("what was sent is whole");
    assert_eq!(received.position(), from.position());
    assert_eq!(received.membership(), from.consensus_membership());
    applier.install(received).expect("it takes the old one's place");
}

pub fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub fn range(key: &str, end: &str) -> RangeRequest {
    RangeRequest {
        key: bytes(key),
        range_end: bytes(end),
        ..RangeRequest::default()
    }
}

pub fn put_request(key: &str, value: &str) -> PutRequest {
    PutRequest {
        key: bytes(key),
        value: bytes(value),
        ..PutRequest::default()
    }
}

pub fn put(key: &str, value: &str) -> InternalRaftRequest {
    put_with(put_request(key, value))
}

pub fn put_with(put: PutRequest) -> InternalRaftRequest {
    InternalRaftRequest {
        put: Some(put),
        ..InternalRaftRequest::default()
    }
}

pub fn delete_request(key: &str, end: &str) -> DeleteRangeRequest {
    DeleteRangeRequest {
        key: bytes(key),
        range_end: bytes(end),
        prev_kv: true,
    }
}

pub fn delete(key: &str, end: &str) -> InternalRaftRequest {
    InternalRaftRequest {
        delete_range: Some(delete_request(key, end)),
        ..InternalRaftRequest::default()
    }
}

pub fn compact(revision: i64) -> InternalRaftRequest {
    let compaction = Some(CompactionRequest {
        revision,
        physical: false,
    });
    InternalRaftRequest {
        compaction,
        ..InternalRaftRequest::default()
    }
}

pub fn txn(txn: TxnRequest) -> InternalRaftRequest {
    InternalRaftRequest {
        txn: Some(txn),
        ..InternalRaftRequest::default()
    }
}

pub fn grant(id: i64, ttl: i64) -> InternalRaftRequest {
    InternalRaftRequest {
        lease_grant: Some(LeaseGrantRequest { ttl, id }),
        ..InternalRaftRequest::default()
    }
}

pub fn revoke(id: i64) -> InternalRaftRequest {
    InternalRaftRequest {
        lease_revoke: Some(LeaseRevokeRequest { id }),
        ..InternalRaftRequest::default()
    }
}

pub fn op(request: Request) -> RequestOp {
    RequestOp { request: Some(request) }
}
