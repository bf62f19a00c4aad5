//! Leases and the keys attached to them.

use std::time::{Duration, Instant};

use taffrail_e2e::requests::{get, grant, op_put, put, txn, watch_range};
use taffrail_e2e::{Member, calls::revision, wait};
use taffrail_proto::etcdserverpb::PutRequest;

const LONG_S: i64 = 600;

#[tokio::test]
async fn a_lease_has_the_wanted_id_or_one_chosen_for_it() {
    let member = Member::fresh().await;
    let wanted = member.grant(grant(LONG_S, 42)).await;
    assert_eq!((wanted.id, wanted.ttl, revision(&wanted.header)), (42, LONG_S, 1));
    let chosen = member.grant(grant(LONG_S, 0)).await;
    assert!(chosen.id > 0 && chosen.id != 42);
    let mut expected = vec![42, chosen.id];
    expected.sort_unstable();
    assert_eq!(member.lease_ids().await, expected);
}

#[tokio::test]
async fn attached_keys_are_listed_and_a_put_without_lease_detaches() {
    let member = Member::fresh().await;
    member.grant(grant(LONG_S, 1)).await;
    member.grant(grant(LONG_S, 2)).await;
    for key in ["b", "a", "c"] {
        member
            .put(PutRequest {
                lease: 1,
                ..put(key, "v")
            })
            .await;
    }
    member.put(put("a", "v")).await;
    member
        .put(PutRequest {
            lease: 2,
            ..put("b", "v")
        })
        .await;
    member
        .put(PutRequest {
            ignore_lease: true,
            ..put("c", "w")
        })
        .await;
    assert_eq!(member.time_to_live(1).await.keys, ["c"]);
    assert_eq!(member.time_to_live(2).await.keys, ["b"]);
    assert_eq!(member.range(get("c")).await.kvs[0].lease, 1);
}

#[tokio::test]
async fn revoking_deletes_all_attached_keys_in_one_revision() {
    let member = Member::fresh().await;
    member.grant(grant(LONG_S, 7)).await;
    let keys = ["k3", "k1", "k2"];
    let puts = keys.map(|key| op_put(key, "v")).map(|mut op| {
        if let Some(taffrail_proto::etcdserverpb::request_op::Request::RequestPut(put)) = &mut op.request {
            put.lease = 7;
        }
        op
    });
    member.txn(txn(vec![], puts.to_vec(), vec![])).await;
    let mut stream = member.watch().await;
    stream.create(watch_range("k", "l", 0)).await;
    assert_eq!(member.revoke(7).await, 3);
    let response = stream.next().await;
    let deleted: Vec<_> = response.events.iter().map(|event| event.kv.clone().unwrap()).collect();
    assert!(deleted.iter().all(|kv| kv.mod_revision == 3));
    assert_eq!(
        deleted.iter().map(|kv| &kv.key[..]).collect::<Vec<_>>(),
        [b"k1", b"k2", b"k3"]
    );
    assert_eq!(member.lease_ids().await, [0i64; 0]);
}

#[tokio::test]
async fn an_unknown_lease_is_told_by_its_time_to_live() {
    let member = Member::fresh().await;
    let answer = member.time_to_live(99).await;
    assert_eq!((answer.ttl, answer.granted_ttl, answer.keys.len()), (-1, 0, 0));
    assert_eq!(member.keep_alive(99).await.ttl, 0);
}

#[tokio::test]
async fn a_very_short_lease_is_lengthened() {
    let member = Member::fresh().await;
    assert_eq!(member.grant(grant(1, 5)).await.ttl, 2);
}

#[tokio::test]
async fn a_lease_ends_after_its_time_and_not_before() {
    let member = Member::fresh().await;
    let start = Instant::now();
    member.grant(grant(2, 5)).await;
    member
        .put(PutRequest {
            lease: 5,
            ..put("k", "v")
        })
        .await;
    let mut stream = member.watch().await;
    stream.create(watch_range("k", "", 0)).await;
    let event = stream.events(1).await.remove(0);
    assert_eq!(event.r#type(), taffrail_proto::mvccpb::event::EventType::Delete);
    assert!(
        start.elapsed() >= Duration::from_secs(2),
        "ended after {:?}",
        start.elapsed()
    );
    wait::until("the lease to be gone", async || {
        member.lease_ids().await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn keeping_a_lease_alive_gives_it_its_whole_time_again() {
    let member = Member::fresh().await;
    member.grant(grant(3, 5)).await;
    let start = Instant::now();
    member
        .put(PutRequest {
            lease: 5,
            ..put("k", "v")
        })
        .await;
    let mut last = Instant::now();
    while start.elapsed() < Duration::from_secs(5) {
        last = Instant::now();
        assert_eq!(member.keep_alive(5).await.ttl, 3);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(member.text("k").await.is_some());
    wait::until("the key to go with its lease", async || {
        member.text("k").await.is_none().then_some(())
    })
    .await;
    assert!(last.elapsed() >= Duration::from_secs(3));
}
