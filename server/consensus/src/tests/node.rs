use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use taffrail_store::Response;

use super::fake::{FakeState, config, founded, leading, start_on};
use crate::log::memory_disk::{Fate, MemoryDisk, Step};
use crate::{NodeConfig, ProposeError};

fn request(number: u64) -> Bytes {
    Bytes::from(format!("request {number}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_voter_answers_and_reads_its_writes() {
    let (disk, state) = (MemoryDisk::default(), FakeState::default());
    let node = founded(&disk, config(), &state).await;
    assert_eq!(
        node.propose(0, request(0)).await.unwrap(),
        Ok(Response::LeaseCheckpoint)
    );
    node.read_barrier().await.unwrap();
    assert_eq!(state.requests(), [request(0)]);
    assert_eq!(node.members().len(), 1);
    let progress = node.progress();
    assert_eq!(
        (progress.term, progress.applied_index, progress.committed_index),
        (1, 3, 3)
    );
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_replays_exactly_once() {
    let (disk, state) = (MemoryDisk::default(), FakeState::default());
    let node = founded(&disk, config(), &state).await;
    let early = state.copy();
    for number in 0..200 {
        node.propose(number, request(number)).await.unwrap().unwrap();
    }
    node.shutdown().await;
    let expected: Vec<Bytes> = (0..200).map(request).collect();

    // One state kept everything, the other lost what it had not made durable.
    for state in [state, early] {
        let node = start_on(Arc::new(disk.clone()), config(), &state).await.unwrap();
        leading(&node, 7).await;
        node.read_barrier().await.unwrap();
        assert_eq!(state.requests(), expected);
        node.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_proposals_at_once_are_all_answered() {
    let (disk, state) = (MemoryDisk::default(), FakeState::default());
    let node = founded(&disk, config(), &state).await;
    let tasks: Vec<_> = (0..1000)
        .map(|number| {
            let node = node.clone();
            tokio::spawn(async move { node.propose(number, request(number)).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap().unwrap();
    }
    assert_eq!(state.requests().len(), 1000);
    assert_eq!(node.proposals().pending, 0);
    assert_eq!(node.proposals().failed, 0);
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn raft_snapshots_keep_the_log_bounded() {
    let (disk, mut state) = (MemoryDisk::default(), FakeState::default());
    let config = NodeConfig {
        snapshot_count_entries: 100,
        snapshot_catchup_entries: 20,
        ..config()
    };
    let mut node = founded(&disk, config.clone(), &state).await;
    let payload = Bytes::from(vec![1; 8 << 10]);
    for _ in 0..3 {
        for _ in 0..300 {
            node.propose(0, payload.clone()).await.unwrap().unwrap();
        }
        // 120 entries of 8 KiB, in segments of 64 KiB.
        wait_until(|| disk.names().len() < 30).await;
        node.shutdown().await;
        state = state.copy();
        node = start_on(Arc::new(disk.clone()), config.clone(), &state).await.unwrap();
        leading(&node, 7).await;
        node.read_barrier().await.unwrap();
    }
    assert_eq!(state.requests().len(), 900);
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_answers_whoever_waits() {
    let (disk, state) = (MemoryDisk::default(), FakeState::default());
    let node = founded(&disk, config(), &state).await;
    let proposers: Vec<_> = (0..50)
        .map(|_| {
            let node = node.clone();
            tokio::spawn(async move {
                let mut answered = 0;
                while node.propose(0, request(0)).await.is_ok() {
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    node.shutdown().await;
    let mut answered = 0;
    for proposer in proposers {
        answered += tokio::time::timeout(Duration::from_secs(5), proposer)
            .await
            .unwrap()
            .unwrap();
    }
    assert!(answered > 0);
    assert!(state.requests().len() >= answered);
    assert!(node.read_barrier().await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_fsync_stops_the_node() {
    let (disk, state) = (MemoryDisk::default(), FakeState::default());
    let node = founded(&disk, config(), &state).await;
    node.propose(0, request(0)).await.unwrap().unwrap();
    disk.judged(|step| {
        if step == Step::Sync {
            Fate::Fails(std::io::ErrorKind::Other)
        } else {
            Fate::Works
        }
    });
    assert!(matches!(node.propose(1, request(1)).await, Err(ProposeError::Stopped)));
    let cause = tokio::time::timeout(Duration::from_secs(5), node.failed())
        .await
        .unwrap();
    assert!(cause.contains("the raft log cannot be written"), "{cause}");
    assert_eq!(state.requests(), [request(0)]);
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_apply_stops_the_node() {
    let (disk, state) = (MemoryDisk::default(), FakeState::default());
    let node = founded(&disk, config(), &state).await;
    state.0.lock().unwrap().fail = true;
    assert!(matches!(node.propose(1, request(1)).await, Err(ProposeError::Stopped)));
    let cause = tokio::time::timeout(Duration::from_secs(5), node.failed())
        .await
        .unwrap();
    assert!(cause.contains("could not be applied"), "{cause}");
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_and_a_state_that_do_not_belong_together_are_refused() {
    let (disk, state) = (MemoryDisk::default(), FakeState::default());
    let node = founded(&disk, config(), &state).await;
    node.propose(0, request(0)).await.unwrap().unwrap();
    node.shutdown().await;

    let fresh = start_on(Arc::new(MemoryDisk::default()), config(), &state)
        .await
        .err()
        .unwrap();
    assert!(fresh.to_string().contains("acknowledged entries are lost"), "{fresh}");

    state.0.lock().unwrap().position.term = 9;
    let other = start_on(Arc::new(disk), config(), &state).await.err().unwrap();
    assert!(other.to_string().contains("do not belong together"), "{other}");
}

async fn wait_until(mut holds: impl FnMut() -> bool) {
    let waited = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waited)
        .await
        .expect("it should come true");
}
