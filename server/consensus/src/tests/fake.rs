//! A state that remembers what it was given, and a log in memory, to test the node without the store.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use taffrail_store::{Applied, Content, Entry, Position, Response, StoreFailure};

use crate::log::LogOptions;
use crate::log::disk::Disk;
use crate::log::memory_disk::MemoryDisk;
use crate::peer::{Peer, PlainDialer};
use crate::recorder::NoRecorder;
use crate::start::{Parts, start};
use crate::state::{Apply, Finished, Look, Receiving, State};
use crate::{Node, NodeConfig, StartError};

/// Survives restarts of the node; clones share it.
#[derive(Clone, Default)]
pub struct FakeState(pub Arc<Mutex<Inner>>);

#[derive(Default, Clone)]
pub struct Inner {
    pub position: Position,
    pub membership: Option<(Position, Bytes)>,
    pub requests: Vec<Bytes>,
    pub largest_batch: usize,
    pub persisted: Position,
    pub fail: bool,
    pub installed: Option<Position>,
    pub incarnations: BTreeMap<u64, u64>,
}

impl FakeState {
    pub fn requests(&self) -> Vec<Bytes> {
        self.0.lock().unwrap().requests.clone()
    }

    /// Another state with the same contents.
    pub fn copy(&self) -> FakeState {
        FakeState(Arc::new(Mutex::new(self.0.lock().unwrap().clone())))
    }
}

impl State for FakeState {
    fn look(&self) -> Look {
        let inner = self.0.lock().unwrap();
        let copy = inner.clone();
        Look {
            position: inner.position,
            membership: inner.membership.clone(),
            installed: inner.installed,
            pinned: Some(Box::new(move || Box::new(copy.chunks().into_iter().map(Ok)))),
        }
    }

    fn receive(&self) -> Result<Box<dyn Receiving>, StoreFailure> {
        Ok(Box::new(FakeReceiving(Inner::default())))
    }

    fn incarnation(&self, member_id: u64) -> u64 {
        self.0
            .lock()
            .unwrap()
            .incarnations
            .get(&member_id)
            .copied()
            .unwrap_or(0)
    }

    fn persist(&self) -> Result<Position, StoreFailure> {
        let mut inner = self.0.lock().unwrap();
        inner.persisted = inner.position;
        Ok(inner.position)
    }
}

impl Apply for FakeState {
    fn apply(&mut self, entries: &[Entry]) -> Result<Vec<Applied>, StoreFailure> {
        let mut inner = self.0.lock().unwrap();
        if inner.fail {
            return Err(StoreFailure::Damaged("made to fail".into()));
        }
        inner.largest_batch = inner.largest_batch.max(entries.len());
        entries.iter().map(|entry| inner.apply(entry)).collect()
    }

    fn install(&mut self, state: Box<dyn Any + Send>) -> Result<Look, StoreFailure> {
        let received = *state.downcast::<Inner>().unwrap();
        *self.0.lock().unwrap() = Inner {
            installed: Some(received.position),
            ..received
        };
        Ok(self.look())
    }
}

/// Takes the position and membership first, then one request a piece.
struct FakeReceiving(Inner);

impl Receiving for FakeReceiving {
    fn write(&mut self, chunk: &[u8]) -> Result<(), String> {
        let number = |at: usize| u64::from_be_bytes(chunk[at..at + 8].try_into().unwrap());
        if self.0.position.index > 0 {
            self.0.requests.push(Bytes::copy_from_slice(chunk));
            return Ok(());
        }
        let position = |at| Position {
            term: number(at),
            index: number(at + 8),
        };
        self.0.position = position(0);
        self.0.membership = Some((position(16), Bytes::copy_from_slice(&chunk[32..])));
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Finished, String> {
        Ok(Finished {
            position: self.0.position,
            membership: self.0.membership.clone(),
            state: Box::new(self.0),
        })
    }
}

impl Inner {
    fn chunks(&self) -> Vec<Bytes> {
        let (at, membership) = self.membership.clone().unwrap();
        let numbers = [self.position.term, self.position.index, at.term, at.index];
        let mut head: Vec<u8> = numbers.into_iter().flat_map(u64::to_be_bytes).collect();
        head.extend_from_slice(&membership);
        std::iter::once(Bytes::from(head))
            .chain(self.requests.iter().cloned())
            .collect()
    }

    fn apply(&mut self, entry: &Entry) -> Result<Applied, StoreFailure> {
        assert_eq!(
            entry.position.index,
            self.position.index + 1,
            "every entry once, in order"
        );
        self.position = entry.position;
        match &entry.content {
            Content::Blank => {}
            Content::Request(request) => self.requests.push(request.clone()),
            Content::Membership(record) => self.membership = Some((entry.position, record.clone())),
        }
        let (position, revision) = (entry.position, self.requests.len() as i64);
        Ok(Applied {
            position,
            revision,
            answer: Ok(Response::LeaseCheckpoint),
            events: vec![],
        })
    }
}

pub fn config() -> NodeConfig {
    NodeConfig {
        cluster_id: 1,
        member_id: 7,
        incarnation: 1,
        founders: Some([(7, Peer::default())].into()),
        alone: None,
        log_dir: PathBuf::new(),
        heartbeat_interval: Duration::from_millis(100),
        election_timeout: Duration::from_millis(1000),
        pre_vote: true,
        elect_early: true,
        snapshot_count_entries: 10_000,
        snapshot_catchup_entries: 5_000,
        unsafe_no_fsync: false,
    }
}

pub fn log_options() -> LogOptions {
    LogOptions {
        segment_bytes: 64 << 10,
        spare_in_background: false,
        ..LogOptions::new(Arc::new(NoRecorder))
    }
}

pub async fn start_on(disk: Arc<dyn Disk>, config: NodeConfig, state: &FakeState) -> Result<Node, StartError> {
    let parts = Parts {
        log: log_options(),
        disk,
        apply: Box::new(state.clone()),
        state: Arc::new(state.clone()),
        identify,
        dialer: Arc::new(PlainDialer),
        recorder: Arc::new(NoRecorder),
    };
    start(config, parts).await
}

/// The number that a request ends with.
pub fn identify(request: &[u8]) -> Option<u64> {
    std::str::from_utf8(request).ok()?.rsplit(' ').next()?.parse().ok()
}

pub async fn founded(disk: &MemoryDisk, config: NodeConfig, state: &FakeState) -> Node {
    let id = config.member_id;
    let node = start_on(Arc::new(disk.clone()), config, state).await.unwrap();
    leading(&node, id).await;
    node
}

pub async fn leading(node: &Node, id: u64) {
    node.leadership().wait_for(|now| now.leader == Some(id)).await.unwrap();
}
