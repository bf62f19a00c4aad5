//! What the way of a proposal costs without the store: run by hand, in release mode.
//!
//! `cargo test --release -p taffrail-consensus cost -- --ignored --nocapture`

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::fake::{FakeState, config, identify, leading};
use crate::log::{LogOptions, RealDisk};
use crate::peer::PlainDialer;
use crate::recorder::Recorder;
use crate::start::{Parts, start};
use crate::{Node, NodeConfig};

#[derive(Default)]
struct Fsyncs {
    count: AtomicU64,
    nanos: AtomicU64,
    applies: AtomicU64,
}

impl Recorder for Fsyncs {
    fn fsync(&self, took: Duration) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(took.as_nanos() as u64, Ordering::Relaxed);
    }

    fn apply(&self, _took: Duration, _entries: u64) {
        self.applies.fetch_add(1, Ordering::Relaxed);
    }
}

async fn node(folder: &std::path::Path, sync: bool, recorder: Arc<Fsyncs>) -> Node {
    let state = FakeState::default();
    let parts = Parts {
        log: LogOptions::new(recorder.clone()),
        disk: Arc::new(RealDisk::open(folder, sync).unwrap()),
        apply: Box::new(state.clone()),
        state: Arc::new(state),
        identify,
        dialer: Arc::new(PlainDialer),
        recorder,
    };
    let config = NodeConfig {
        snapshot_count_entries: 100_000,
        ..config()
    };
    let node = start(config, parts).await.unwrap();
    leading(&node, 7).await;
    node
}

/// User and system time of this process. The kernel counts in hundredths of a second.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

async fn measure(node: &Node, recorder: &Fsyncs, proposers: usize, entries: usize, what: &str) {
    let payload = Bytes::from(vec![7; 256]);
    let (fsyncs, nanos) = (
        recorder.count.load(Ordering::Relaxed),
        recorder.nanos.load(Ordering::Relaxed),
    );
    let applies = recorder.applies.load(Ordering::Relaxed);
    let (start, cpu_before) = (Instant::now(), cpu());
    let tasks: Vec<_> = (0..proposers)
        .map(|_| {
            let (node, payload) = (node.clone(), payload.clone());
            tokio::spawn(async move {
                let mut times = Vec::with_capacity(entries / proposers);
                for _ in 0..entries / proposers {
                    let begun = Instant::now();
                    node.propose(0, payload.clone()).await.unwrap().unwrap();
                    times.push(begun.elapsed());
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    let (took, cpu) = (start.elapsed(), cpu() - cpu_before);
    times.sort();
    let fsyncs = recorder.count.load(Ordering::Relaxed) - fsyncs;
    let applies = recorder.applies.load(Ordering::Relaxed) - applies;
    let nanos = recorder.nanos.load(Ordering::Relaxed) - nanos;
    println!(
        "{what}: {proposers} proposers, {:.0}/s, CPU {:.2} us/entry, p50 {:?}, p99 {:?}, {:.1} entries/fsync, {:.1} entries/apply, fsync {:.0} us",
        times.len() as f64 / took.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / times.len() as f64,
        times[times.len() / 2],
        times[times.len() * 99 / 100],
        times.len() as f64 / fsyncs as f64,
        times.len() as f64 / applies as f64,
        nanos as f64 / 1000.0 / fsyncs as f64,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn cost_of_a_proposal() {
    for (sync, what) in [(true, "with fsync"), (false, "without fsync")] {
        let folder = tempfile::tempdir_in(".").unwrap();
        let recorder = Arc::new(Fsyncs::default());
        let node = node(folder.path(), sync, recorder.clone()).await;
        let watched = node.clone();
        tokio::spawn(async move {
            let cause = watched.failed().await;
            println!("failed: {cause}");
        });
        for (proposers, entries) in [
            (1, 5_000),
            (16, 50_000),
            (64, 200_000),
            (1000, 500_000),
            (1000, 500_000),
        ] {
            measure(&node, &recorder, proposers, entries, what).await;
        }
        let (start, cpu_before) = (Instant::now(), cpu());
        for _ in 0..1_000_000 {
            node.read_barrier().await.unwrap();
        }
        println!(
            "barrier: {:?} for a million, CPU {:?}",
            start.elapsed(),
            cpu() - cpu_before
        );
        node.shutdown().await;
    }
}
