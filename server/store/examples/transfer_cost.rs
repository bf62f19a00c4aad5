//! What it costs to send a store to another member, to take it in, and to open it again.
//!
//! `cargo run --release -p taffrail-store --example transfer_cost [keys]`. Each key is 32 bytes with a value of 256
//! and is written twice, in random order the second time, and everything is kept.

use std::time::Instant;

use bytes::Bytes;
use prost::Message;
use taffrail_proto::etcdserverpb::{InternalRaftRequest, PutRequest};
use taffrail_store::{Content, Entry, Options, Position, Store};

const VALUE_BYTES: usize = 256;
const BATCH: u64 = 128;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let keys = std::env::args().nth(1).map_or(Ok(1_000_000), |keys| keys.parse())?;
    let (from, to) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let (source, mut applier) = Store::open(from.path(), &Options::default())?;
    timed("written", || {
        (0..2 * keys).step_by(BATCH as usize).try_for_each(|first| {
            let entries: Vec<_> = (first..first + BATCH).map(|n| entry(n, keys)).collect();
            applier.apply(&entries).map(drop)
        })
    })?;
    let (target, mut target_applier) = Store::open(to.path(), &Options::default())?;
    let (mut chunks, mut bytes) = (0, 0);
    timed("read alone", || {
        source.view().export().try_for_each(|chunk| {
            chunks += 1;
            bytes += chunk?.len();
            Ok::<_, taffrail_store::StoreFailure>(())
        })
    })?;
    println!("{chunks} chunks, {} MiB", bytes >> 20);
    let mut incoming = target.receive()?;
    timed("read and taken in", || -> Outcome<()> {
        for chunk in source.view().export() {
            incoming.write(&chunk?)?;
        }
        Ok(())
    })?;
    let received = timed("made durable", || incoming.finish())?;
    timed("installed", || target_applier.install(received))?;
    drop((target, target_applier));
    let (target, _applier) = timed("opened again", || Store::open(to.path(), &Options::default()))?;
    println!("{:?}", target.sizes());
    drop((source, applier));
    timed("source opened again", || Store::open(from.path(), &Options::default()))?;
    Ok(())
}

fn timed<T, E>(what: &str, run: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let start = Instant::now();
    let done = run();
    println!("{what}: {:.2} s", start.elapsed().as_secs_f64());
    done
}

fn entry(n: u64, keys: u64) -> Entry {
    let key = if n < keys { n } else { random(n) % keys };
    let value: Vec<u8> = (0..VALUE_BYTES as u64 / 8)
        .flat_map(|word| random(n * 64 + word).to_be_bytes())
        .collect();
    let put = PutRequest {
        key: Bytes::from(format!("{key:032}")),
        value: value.into(),
        ..PutRequest::default()
    };
    let request = InternalRaftRequest {
        put: Some(put),
        ..InternalRaftRequest::default()
    };
    Entry {
        position: Position { term: 1, index: n + 1 },
        content: Content::Request(request.encode_to_vec().into()),
    }
}

/// splitmix64: the same numbers in every run.
fn random(n: u64) -> u64 {
    let mut z = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
