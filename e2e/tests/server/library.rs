//! The client library that Rust programs use.

use etcd_client::{Compare, CompareOp, GetOptions, PutOptions, Txn, TxnOp, WatchOptions};
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
