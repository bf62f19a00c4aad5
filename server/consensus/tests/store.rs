//! A node on the real store and real files.

#![cfg(test)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use taffrail_consensus::{Listener, Machine, Node, NodeConfig, Peer};
use taffrail_proto::etcdserverpb::{InternalRaftRequest, PutRequest, RangeRequest};
use taffrail_store::{Applied, Options, Response, Store, View};

#[derive(Default)]
struct Events(AtomicU64);

impl Listener for Events {
    fn applied(&self, batch: &[Applied], view: &View) {
        assert!(batch.iter().all(|applied| applied.position <= view.position()));
        self.0.fetch_add(
            batch.iter().map(|applied| applied.events.len() as u64).sum(),
            Ordering::Relaxed,
        );
    }

    fn installed(&self, _: &View) {}
}

async fn start(folder: &Path, snapshot_count_entries: u64) -> (Node, Store, Arc<Events>) {
    let (store, applier) = Store::open(&folder.join("state"), &Options::default()).unwrap();
    let listener = Arc::new(Events::default());
    let config = NodeConfig {
        cluster_id: 1,
        member_id: 3,
        incarnation: 1,
        founders: Some(
            [(
                3,
                Peer {
                    peer_urls: vec!["http://localhost:2380".into()],
                    learner: false,
                },
            )]
            .into(),
        ),
        alone: None,
        log_dir: folder.join("log"),
        heartbeat_interval: Duration::from_millis(100),
        election_timeout: Duration::from_millis(1000),
        pre_vote: true,
        elect_early: true,
        snapshot_count_entries,
        snapshot_catchup_entries: 10,
        unsafe_no_fsync: false,
    };
    let machine = Machine {
        store: store.clone(),
        applier,
        listener: listener.clone(),
        identify: |_| None,
    };
    (Node::start(config, machine).await.unwrap(), store, listener)
}

async fn leading(node: &Node) {
    node.leadership().wait_for(|now| now.leader == Some(3)).await.unwrap();
    node.read_barrier().await.unwrap();
}

fn put(number: u64) -> Bytes {
    let put = PutRequest {
        key: format!("key {number:04}").into(),
        value: "value".into(),
        ..Default::default()
    };
    InternalRaftRequest {
        id: number,
        put: Some(put),
        ..Default::default()
    }
    .encode_to_vec()
    .into()
}

fn count(store: &Store) -> i64 {
    let all = RangeRequest {
        key: vec![0].into(),
        range_end: vec![0].into(),
        count_only: true,
        ..Default::default()
    };
    store.view().range(&all).unwrap().count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn puts_survive_restarts_and_raft_snapshots() {
    let folder = tempfile::tempdir().unwrap();
    let (node, store, listener) = start(folder.path(), 50).await;
    leading(&node).await;
    for number in 0..200 {
        assert!(matches!(
            node.propose(number, put(number)).await.unwrap(),
            Ok(Response::Put(_))
        ));
    }
    assert_eq!((count(&store), listener.0.load(Ordering::Relaxed)), (200, 200));
    node.shutdown().await;
    drop((node, store));

    for round in 1..3 {
        let (node, store, listener) = start(folder.path(), 50).await;
        leading(&node).await;
        assert_eq!(node.members()[&3].peer_urls, ["http://localhost:2380"]);
        let again = put(200 + round);
        assert!(node.propose(200 + round, again).await.unwrap().is_ok());
        assert_eq!(
            (count(&store), listener.0.load(Ordering::Relaxed)),
            (200 + round as i64, 1)
        );
        node.shutdown().await;
        drop((node, store));
    }
}
