//! Many bytes in a cluster whose clients need no certificates.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::iter;
use taffrail_e2e::chance::Chance;
use taffrail_e2e::client::Client;
use taffrail_e2e::requests;
use tokio::task::JoinHandle;

use crate::Cluster;

const VALUE_BYTES: usize = 64 << 10;
const PUTS_AT_A_TIME: usize = 8;
const WRITERS: usize = 16;
const SMALL_BYTES: usize = 256;
const FIRST: &str = "bulk/";
/// Behind everything that begins as [`FIRST`].
const END: &str = "bulk0";

/// Bytes that cannot be made smaller.
fn value(chance: &mut Chance) -> Vec<u8> {
    (0..VALUE_BYTES / 8)
        .flat_map(|_| chance.number().to_le_bytes())
        .collect()
}

/// Of the member that leads.
pub async fn client(cluster: &Cluster) -> Client {
    let pod = cluster.pod(&cluster.leader().await).await;
    let address = pod.and_then(|pod| pod.status?.pod_ip).expect("an address");
    Client::new(format!("{address}:2379"))
}

/// Writes until the member refuses, and so often again.
pub async fn overfill(cluster: &Cluster, refusals: usize) {
    let (mut kv, mut chance, mut refused) = (client(cluster).await.kv(), Chance::new(2), 0);
    for number in 0.. {
        let put = requests::put(format!("{FIRST}over/{number:08}"), value(&mut chance));
        refused += usize::from(kv.put(put).await.is_err());
        if refused > refusals {
            return;
        }
    }
}

/// So many of the first keys go, and their history.
pub async fn remove(cluster: &Cluster, mebibytes: usize) {
    let client = client(cluster).await;
    let end = format!("{FIRST}{:08}", (mebibytes << 20) / VALUE_BYTES);
    let deleted = client.delete(requests::delete_range(FIRST, end)).await;
    client.compact(deleted.header.map_or(0, |header| header.revision)).await;
}

/// Clients that write as fast as they are answered.
pub struct Writers {
    done: Arc<AtomicU64>,
    running: Vec<JoinHandle<()>>,
}

impl Writers {
    pub async fn begin(cluster: &Cluster) -> Self {
        let (client, done) = (client(cluster).await, Arc::new(AtomicU64::new(0)));
        let write = |number: usize| {
            let (mut kv, done) = (client.kv(), done.clone());
            tokio::spawn(async move {
                loop {
                    let put = requests::put(format!("small/{number}"), vec![b'v'; SMALL_BYTES]);
                    kv.put(put).await.expect("written");
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let running = (0..WRITERS).map(write).collect();
        Self { done, running }
    }

    /// Writes each second, over this time.
    pub async fn rate(&self, span: Duration) -> f64 {
        let (start, before) = (Instant::now(), self.done.load(Ordering::Relaxed));
        tokio::time::sleep(span).await;
        (self.done.load(Ordering::Relaxed) - before) as f64 / start.elapsed().as_secs_f64()
    }

    /// Panics if a write was refused meanwhile.
    pub fn end(self) {
        for one in self.running {
            assert!(!one.is_finished(), "a write was refused");
            one.abort();
        }
    }
}

/// Returns how many keys there are then.
pub async fn fill(cluster: &Cluster, mebibytes: usize) -> i64 {
    let client = client(cluster).await;
    let (mut chance, keys) = (Chance::new(1), (mebibytes << 20) / VALUE_BYTES);
    let puts = (0..keys).map(|number| {
        let put = requests::put(format!("{FIRST}{number:08}"), value(&mut chance));
        let mut kv = client.kv();
        async move { kv.put(put).await.expect("written") }
    });
    let done = iter(puts).buffer_unordered(PUTS_AT_A_TIME);
    done.for_each(|_| async {}).await;
    count(cluster).await
}

pub async fn count(cluster: &Cluster) -> i64 {
    let mut request = requests::range(FIRST, END);
    request.count_only = true;
    let counted = client(cluster).await.kv().range(request).await;
    counted.expect("read").into_inner().count
}
