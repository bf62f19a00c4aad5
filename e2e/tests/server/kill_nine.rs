//! A process that is killed at any moment loses nothing that it acknowledged.
//!
//! `TAFFRAIL_KILL_ROUNDS` sets how often it is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use taffrail_e2e::requests::{everything, get, put};
use taffrail_e2e::{Member, calls::revision};
use taffrail_proto::etcdserverpb::RangeRequest;
use taffrail_proto::etcdserverpb::kv_client::KvClient;
use tonic::transport::Channel;

const WRITERS: usize = 8;
const ROUNDS_DEFAULT: u64 = 8;

/// What writers were told.
#[derive(Default)]
struct Told {
    /// Per key the number last acknowledged, and at which revision.
    last: BTreeMap<String, (u64, i64)>,
    /// Every revision acknowledged.
    revisions: BTreeSet<i64>,
    reused: Vec<i64>,
}

fn rounds() -> u64 {
    std::env::var("TAFFRAIL_KILL_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(ROUNDS_DEFAULT)
}

/// Counts upwards in one key until the member is gone.
async fn write_until_killed(mut kv: KvClient<Channel>, key: String, mut number: u64, told: &Mutex<Told>) -> u64 {
    loop {
        number += 1;
        let Ok(answer) = kv.put(put(key.clone(), number.to_string())).await else {
            return number;
        };
        let revision = revision(&answer.into_inner().header);
        let mut told = told.lock().unwrap();
        told.last.insert(key.clone(), (number, revision));
        if !told.revisions.insert(revision) {
            told.reused.push(revision);
        }
    }
}

async fn assert_kept(member: &Member, told: &Told) {
    assert!(told.reused.is_empty(), "revisions given twice: {:?}", told.reused);
    let newest = member.revision().await;
    assert!(
        told.revisions.last().is_none_or(|last| *last <= newest),
        "the revision went back to {newest}"
    );
    for (key, (number, at)) in &told.last {
        let found: u64 = member
            .text(key)
            .await
            .expect("an acknowledged key is there")
            .parse()
            .unwrap();
        assert!(found >= *number, "{key}: {number} was acknowledged, {found} is there");
        let past = member
            .range(RangeRequest {
                revision: *at,
                ..get(key.clone())
            })
            .await;
        assert_eq!(past.kvs[0].value, number.to_string(), "{key} at revision {at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_write_is_lost_and_no_revision_is_given_twice() {
    let mut member = Member::fresh().await;
    let told = std::sync::Arc::new(Mutex::new(Told::default()));
    let mut numbers = [0; WRITERS];
    for round in 0..rounds() {
        let mut writers = Vec::new();
        for (writer, number) in numbers.iter().enumerate() {
            let (kv, told, number) = (member.kv(), told.clone(), *number);
            writers.push(tokio::spawn(async move {
                write_until_killed(kv, format!("writer-{writer}"), number, &told).await
            }));
        }
        // Not a wait for something to happen: the moment of the blow is what varies.
        tokio::time::sleep(Duration::from_millis(150 + 97 * (round % 7))).await;
        member.kill_nine();
        for (number, writer) in numbers.iter_mut().zip(writers) {
            *number = writer.await.unwrap();
        }
        member.start().await;
        let so_far = std::mem::take(&mut *told.lock().unwrap());
        assert_kept(&member, &so_far).await;
        *told.lock().unwrap() = so_far;
    }
    assert!(
        told.lock().unwrap().revisions.len() as u64 > rounds(),
        "hardly anything was written"
    );
    assert_clean_restart_changes_nothing(&mut member).await;
}

async fn assert_clean_restart_changes_nothing(member: &mut Member) {
    let (hash, all) = (member.hash_kv(0).await.hash, member.range(everything()).await.kvs);
    member.restart().await;
    assert_eq!(
        (member.hash_kv(0).await.hash, member.range(everything()).await.kvs),
        (hash, all)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_and_their_keys_outlive_a_kill() {
    let mut member = Member::fresh().await;
    for round in 1..=3 {
        member.grant(taffrail_e2e::requests::grant(600, round)).await;
        let request = taffrail_proto::etcdserverpb::PutRequest {
            lease: round,
            ..put(format!("k{round}"), "v")
        };
        member.put(request).await;
        member.kill_nine();
        member.start().await;
        assert_eq!(member.lease_ids().await, (1..=round).collect::<Vec<_>>());
        assert_eq!(member.time_to_live(round).await.keys, [format!("k{round}")]);
    }
}
