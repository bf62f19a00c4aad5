//! What an applied put costs, and what reading pages of many keys costs.
//!
//! `cargo run --release -p taffrail-store --example put_cost [keys in the page test] [MiB of recent records]
//! [KiB of unwritten history]`. CPU of the calling thread and of the whole process, so that the engine's own workers
//! count too, and the longest time that one batch kept its thread busy. 0 keys: overwrites only.

use std::path::Path;
use std::time::Instant;

use bytes::Bytes;
use prost::Message;
use taffrail_proto::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use taffrail_proto::etcdserverpb::request_op::Request;
use taffrail_proto::etcdserverpb::{Compare, InternalRaftRequest, PutRequest, RangeRequest, RequestOp, TxnRequest};
use taffrail_store::{Applier, Content, Entry, Options, Position, RangeError, Store, StoreFailure};

const VALUE_BYTES: usize = 256;
const STRETCH: usize = 20_000;
const COUNTS: usize = 100;
const CLOCK_TICKS_PER_S: f64 = 100.0;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let page_keys = std::env::args().nth(1).map_or(Ok(1_000_000), |keys| keys.parse())?;
    if page_keys == 0 {
        return fresh(|bench| {
            bench.puts("overwrites in 100k keys, batch 16", 400_000, 16, |n| {
                random(n) % 100_000
            })
        });
    }
    for batch in [1, 16, 128] {
        fresh(|bench| bench.puts(&format!("sequential new keys, batch {batch}"), 300_000, batch, |n| n))?;
        fresh(|bench| {
            bench.puts("  (filling)", 100_000, 128, |n| n)?;
            bench.puts(
                &format!("overwrites in 100k keys, batch {batch}"),
                300_000,
                batch,
                |n| random(n) % 100_000,
            )
        })?;
    }
    fresh(|bench| {
        bench.puts("  (filling)", 100_000, 128, |n| n)?;
        bench.txns("txn of 10 puts in 100k keys, batch 16, per put", 30_000, 16)
    })?;
    fresh(|bench| {
        bench.puts("  (filling)", 100_000, 128, |n| n)?;
        bench.updates("compare and put in 100k keys, batch 16", 100_000, 16)
    })?;
    fresh(|bench| bench.pages(page_keys))
}

fn fresh(run: impl FnOnce(&mut Bench) -> Outcome<()>) -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    run(&mut Bench::open(dir.path())?)
}

struct Bench {
    store: Store,
    applier: Applier,
    index: u64,
    value: Vec<u8>,
    longest_us: f64,
}

impl Bench {
    fn open(dir: &Path) -> Outcome<Self> {
        let mut options = Options::default();
        if let Some(mib) = std::env::args().nth(2) {
            options.recent_records_bytes = mib.parse::<u64>()? << 20;
        }
        if let Some(kib) = std::env::args().nth(3) {
            options.unwritten_history_bytes = kib.parse::<usize>()? << 10;
        }
        let (store, applier) = Store::open(dir, &options)?;
        let value = (0..VALUE_BYTES as u64 + 4096).map(|n| random(n) as u8).collect();
        Ok(Self {
            store,
            applier,
            index: 0,
            value,
            longest_us: 0.0,
        })
    }

    fn put(&self, key: u64, n: u64) -> PutRequest {
        let from = n as usize % 4096;
        let value = Bytes::copy_from_slice(&self.value[from..from + VALUE_BYTES]);
        PutRequest {
            key: format!("/registry/pods/default/{key:010}").into(),
            value,
            ..PutRequest::default()
        }
    }

    fn entry(&mut self, request: &InternalRaftRequest) -> Entry {
        self.index += 1;
        let position = Position {
            term: 1,
            index: self.index,
        };
        Entry {
            position,
            content: Content::Request(request.encode_to_vec().into()),
        }
    }

    /// Requests are made ahead, in stretches long enough for the clocks.
    fn puts(&mut self, what: &str, puts: u64, batch: usize, key: impl Fn(u64) -> u64) -> Outcome<()> {
        let mut cost = Cost::default();
        for from in (0..puts).step_by(STRETCH) {
            let entries: Vec<_> = (from..puts.min(from + STRETCH as u64))
                .map(|n| {
                    let put = Some(self.put(key(n), n));
                    self.entry(&InternalRaftRequest {
                        put,
                        ..InternalRaftRequest::default()
                    })
                })
                .collect();
            cost.measure(entries.len(), || self.apply(&entries, batch))?;
        }
        cost.report(what);
        println!("{:>58} longest {:7.0} us", "", std::mem::take(&mut self.longest_us));
        Ok(())
    }

    fn txns(&mut self, what: &str, txns: u64, batch: usize) -> Outcome<()> {
        let mut cost = Cost::default();
        for from in (0..txns).step_by(STRETCH / 10) {
            let entries: Vec<_> = (from..txns.min(from + STRETCH as u64 / 10))
                .map(|n| {
                    let puts = (0..10).map(|op| Request::RequestPut(self.put(random(n * 10 + op) % 100_000, n)));
                    let success = puts.map(|put| RequestOp { request: Some(put) }).collect();
                    let txn = Some(TxnRequest {
                        success,
                        ..TxnRequest::default()
                    });
                    self.entry(&InternalRaftRequest {
                        txn,
                        ..InternalRaftRequest::default()
                    })
                })
                .collect();
            cost.measure(entries.len() * 10, || self.apply(&entries, batch))?;
        }
        cost.report(what);
        Ok(())
    }

    /// What an apiserver sends: put if the key is there, else get it.
    fn updates(&mut self, what: &str, txns: u64, batch: usize) -> Outcome<()> {
        let mut cost = Cost::default();
        for from in (0..txns).step_by(STRETCH) {
            let entries: Vec<_> = (from..txns.min(from + STRETCH as u64))
                .map(|n| {
                    let txn = Some(update(self.put(random(n) % 100_000, n)));
                    self.entry(&InternalRaftRequest {
                        txn,
                        ..InternalRaftRequest::default()
                    })
                })
                .collect();
            cost.measure(entries.len(), || self.apply(&entries, batch))?;
        }
        cost.report(what);
        Ok(())
    }

    fn apply(&mut self, entries: &[Entry], batch: usize) -> Result<(), StoreFailure> {
        entries.chunks(batch).try_for_each(|entries| {
            let start = Instant::now();
            self.applier.apply(entries)?;
            self.longest_us = self.longest_us.max(start.elapsed().as_secs_f64() * 1e6);
            Ok(())
        })
    }

    fn pages(&mut self, keys: u64) -> Outcome<()> {
        self.puts(&format!("{keys} sequential keys, batch 128"), keys, 128, |n| n)?;
        self.list("LIST in pages of 500", 0)?;
        let before = self.store.view().revision();
        self.puts("  10k overwrites", 10_000, 128, |n| random(n) % keys)?;
        self.list("the same 10k revisions later, at the newest", 0)?;
        self.list("the same 10k revisions later, pinned", before)?;
        self.list("the same 10k revisions later, from history", before + 1)?;
        self.counts("count of all, newest", 0)?;
        self.counts("count of all, 10k revisions back", before + 1)?;
        let view = self.store.view();
        let mut cost = Cost::default();
        cost.measure(view.revision() as usize, || view.hash_kv(0).map(drop))?;
        cost.report("hash_kv, per revision");
        println!("{:?}", self.store.sizes());
        Ok(())
    }

    fn list(&self, what: &str, revision: i64) -> Outcome<()> {
        let mut cost = Cost::default();
        let pages = cost.measure(0, || self.walk(revision))?;
        cost.operations = pages;
        cost.report(&format!("{what}, per page"));
        Ok(())
    }

    fn walk(&self, mut revision: i64) -> Result<usize, RangeError> {
        let (mut pages, mut key, mut more) = (0, Bytes::from("/registry/"), true);
        while more {
            let range_end = Bytes::from("/registry0");
            let request = RangeRequest {
                key,
                range_end,
                limit: 500,
                revision,
                ..RangeRequest::default()
            };
            let response = self.store.view().range(&request)?;
            revision = if revision == 0 {
                self.store.view().revision()
            } else {
                revision
            };
            more = response.more;
            let last = response.kvs.last().map(|kv| kv.key.clone()).unwrap_or_default();
            key = [&last[..], b"\0"].concat().into();
            pages += 1;
        }
        Ok(pages)
    }

    fn counts(&self, what: &str, revision: i64) -> Outcome<()> {
        let (key, range_end) = (Bytes::from("/registry/pods/default/00000"), Bytes::from("/registry0"));
        let request = RangeRequest {
            key,
            range_end,
            count_only: true,
            revision,
            ..RangeRequest::default()
        };
        let mut cost = Cost::default();
        cost.measure(COUNTS, || {
            (0..COUNTS).try_for_each(|_| self.store.view().range(&request).map(drop))
        })?;
        cost.report(what);
        Ok(())
    }
}

fn update(put: PutRequest) -> TxnRequest {
    let compare = Compare {
        result: CompareResult::Greater as i32,
        target: CompareTarget::Mod as i32,
        key: put.key.clone(),
        target_union: Some(TargetUnion::ModRevision(0)),
        ..Compare::default()
    };
    let get = RangeRequest {
        key: put.key.clone(),
        ..RangeRequest::default()
    };
    let op = |request| vec![RequestOp { request: Some(request) }];
    TxnRequest {
        compare: vec![compare],
        success: op(Request::RequestPut(put)),
        failure: op(Request::RequestRange(get)),
    }
}

/// Splitmix: spreads numbers evenly, the same in every run.
fn random(n: u64) -> u64 {
    let mut z = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[derive(Default)]
struct Cost {
    operations: usize,
    wall_us: f64,
    thread_us: f64,
    process_us: f64,
}

impl Cost {
    fn measure<T, E>(&mut self, operations: usize, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let (start, process, thread) = (Instant::now(), process_us(), thread_us());
        let outcome = work();
        self.thread_us += thread_us() - thread;
        self.process_us += process_us() - process;
        self.wall_us += start.elapsed().as_secs_f64() * 1e6;
        self.operations += operations;
        outcome
    }

    fn report(&self, what: &str) {
        let per = |us: f64| us / self.operations as f64;
        let (thread, process, wall) = (per(self.thread_us), per(self.process_us), per(self.wall_us));
        println!("{what:<58} thread {thread:8.2} us  process {process:8.2} us  wall {wall:8.2} us");
    }
}

/// On-CPU time of this thread, from the kernel, which brings it up to date when the thread yields.
fn thread_us() -> f64 {
    std::thread::yield_now();
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ')
        .next()
        .and_then(|ns| ns.parse::<f64>().ok())
        .unwrap_or(0.0)
        / 1000.0
}

/// User and system time of all threads; coarse.
fn process_us() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<_> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|ticks| ticks.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    (ticks(11) + ticks(12)) / CLOCK_TICKS_PER_S * 1e6
}
