//! The client library that Rust programs use.

use etcd_client::{Compare, CompareOp, GetOptions, LockOptions, PutOptions, Txn, TxnOp, WatchOptions};
use taffrail_e2e::{Member, wait};

#[tokio::test]
async fn keys_transactions_and_leases() {
    let member = Member::fresh().await;
    let mut client = member.library().await;
    let lease = client.lease_grant(600, None).await.unwrap().id();
    client
        .put("a", "1", Some(PutOptions::new().with_lease(lease)))
        .await
        .unwrap();
    let txn = Txn::new()
        .when([Compare::version("a", CompareOp::Equal, 1)])
        .and_then([TxnOp::put("b", "2", None)]);
    assert!(client.txn(txn).await.unwrap().succeeded());
    let found = client.get("a", Some(GetOptions::new().with_range("c"))).await.unwrap();
    assert_eq!(
        found.kvs().iter().map(|kv| kv.value_str().unwrap()).collect::<Vec<_>>(),
        ["1", "2"]
    );
    client.lease_revoke(lease).await.unwrap();
    assert_eq!(client.get("a", None).await.unwrap().count(), 0);
}

#[tokio::test]
async fn a_watch() {
    let member = Member::fresh().await;
    let mut client = member.library().await;
    let mut stream = client
        .watch("k", Some(WatchOptions::new().with_prev_key()))
        .await
        .unwrap();
    client.put("k", "1", None).await.unwrap();
    loop {
        let response = wait::for_it("an event", stream.message()).await.unwrap().unwrap();
        if let Some(event) = response.events().first() {
            assert_eq!(event.kv().unwrap().value_str().unwrap(), "1");
            return;
        }
    }
}

#[tokio::test]
async fn a_lock_is_held_by_one_at_a_time() {
    let member = Member::fresh().await;
    let (mut first, mut second) = (member.library().await, member.library().await);
    let lease = second.lease_grant(600, None).await.unwrap().id();
    let held = first.lock("lock", None).await.unwrap();
    let waiting = tokio::spawn(async move { second.lock("lock", Some(LockOptions::new().with_lease(lease))).await });
    wait::until("the second to queue up", async || {
        let queued = first
            .get("lock/", Some(GetOptions::new().with_prefix()))
            .await
            .unwrap()
            .count();
        (queued == 2).then_some(())
    })
    .await;
    assert!(!waiting.is_finished());
    first.unlock(held.key()).await.unwrap();
    wait::for_it("the lock", waiting).await.unwrap().unwrap();
}
