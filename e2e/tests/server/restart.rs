//! What a member still knows after it was stopped.

use taffrail_e2e::Member;
use taffrail_e2e::requests::{delete, everything, grant, put, watch_range};
use taffrail_proto::etcdserverpb::PutRequest;

#[tokio::test]
async fn everything_is_as_it_was() {
    let mut member = Member::fresh().await;
    member.grant(grant(600, 7)).await;
    for number in 0..300 {
        let lease = if number % 10 == 0 { 7 } else { 0 };
        member
            .put(PutRequest {
                lease,
                ..put(format!("k{}", number % 100), format!("v{number}"))
            })
            .await;
    }
    member.delete(delete("k5")).await;
    member.compact(150).await;
    let (hash, all, attached) = (
        member.hash_kv(0).await,
        member.range(everything()).await,
        member.time_to_live(7).await.keys,
    );
    member.restart().await;
    let (new_hash, new_all) = (member.hash_kv(0).await, member.range(everything()).await);
    assert_eq!(
        (new_hash.hash, new_hash.compact_revision),
        (hash.hash, hash.compact_revision)
    );
    assert_eq!(
        (new_all.kvs, new_all.header.unwrap().revision),
        (all.kvs, all.header.unwrap().revision)
    );
    assert_eq!(member.time_to_live(7).await.keys, attached);
    assert_eq!(member.time_to_live(7).await.granted_ttl, 600);
}

#[tokio::test]
async fn a_member_keeps_its_identity() {
    let mut member = Member::fresh().await;
    let before = member.put(put("k", "v")).await.header.unwrap();
    member.restart().await;
    let after = member.put(put("k", "v")).await.header.unwrap();
    assert_eq!(
        (after.cluster_id, after.member_id, after.revision),
        (before.cluster_id, before.member_id, 3)
    );
    assert!(after.raft_term >= before.raft_term);
}

#[tokio::test]
async fn history_can_still_be_watched() {
    let mut member = Member::fresh().await;
    for number in 0..100 {
        member.put(put(format!("k{number}"), "v")).await;
    }
    member.restart().await;
    let mut stream = member.watch().await;
    stream.create(watch_range("k", "l", 2)).await;
    assert_eq!(stream.events(100).await.len(), 100);
}

#[tokio::test]
async fn an_alarm_stays_on() {
    let mut member = Member::nearly_full().await;
    member.raise_nospace().await;
    member.restart().await;
    assert!(member.kv().put(put("k", "v")).await.is_err());
}

#[tokio::test]
async fn being_asked_to_stop_is_no_failure() {
    let mut member = Member::fresh().await;
    member.put(put("k", "v")).await;
    let exit = member.terminate().await;
    // etcd lets the signal end it after cleaning up, so it has no code of its own.
    assert!(matches!(exit.code, Some(0) | None), "{:?}", exit.code);
}

#[tokio::test]
async fn a_member_that_says_it_is_ready_has_a_leader() {
    let mut member = Member::fresh().await;
    for _ in 0..5 {
        member.kill_nine();
        member.start().await;
        member
            .kv()
            .put(put("k", "v"))
            .await
            .expect("ready means that writes are taken");
    }
}
