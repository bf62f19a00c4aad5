//! A state that remembers what it was given, and a log in memory, to test the node without the store.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use taffrail_store::{Applied, Content, Entry, Position, Response, StoreFailure};

use crate::log::LogOptions;
use crate::log::disk::Disk;
use crate::log::memory_disk::MemoryDisk;
use crate::peer::Peer;
use crate::recorder::NoRecorder;
use crate::start::{Parts, start};
use crate::state::{Apply, Look, State};
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
        Look {
            position: inner.position,
            membership: inner.membership.clone(),
            view: None,
        }
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
}

impl Inner {
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
        founders: None,
        log_dir: PathBuf::new(),
        heartbeat_interval: Duration::from_millis(100),
        election_timeout: Duration::from_millis(1000),
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
        recorder: Arc::new(NoRecorder),
    };
    start(config, parts).await
}

pub async fn founded(disk: &MemoryDisk, config: NodeConfig, state: &FakeState) -> Node {
    let id = config.member_id;
    let node = start_on(Arc::new(disk.clone()), config, state).await.unwrap();
    node.found([(id, Peer::default())].into()).await.unwrap();
    leading(&node, id).await;
    node
}

pub async fn leading(node: &Node, id: u64) {
    node.leadership().wait_for(|now| now.leader == Some(id)).await.unwrap();
}
