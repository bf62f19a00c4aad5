//! A namespace is all that its clients see.

use taffrail_e2e::Member;
use taffrail_e2e::requests::{everything, get, grant, op_get, op_put, put, txn, version_is, watch, watch_range};
use taffrail_proto::etcdserverpb::response_op::Response;

use crate::proxied::proxy;

#[tokio::test]
async fn keys_are_under_a_prefix_that_nobody_sees() {
    let member = Member::fresh().await;
    let inside = proxy(&[member.address()], &["--namespace=ns/".to_owned()])
        .await
        .client_of();
    let client = &inside.1;
    member.put(put("other", "v")).await;
    member.put(put("nt", "v")).await;
    client.put(put("k", "v")).await;
    assert_eq!(member.text("ns/k").await.as_deref(), Some("v"));
    let seen = client.range(everything()).await.kvs;
    assert_eq!(seen.iter().map(|kv| kv.key.clone()).collect::<Vec<_>>(), ["k"]);
    let done = client
        .txn(txn(
            vec![version_is("k", 1)],
            vec![op_put("l", "1"), op_get("k")],
            vec![],
        ))
        .await;
    assert!(done.succeeded);
    let Some(Response::ResponseRange(found)) = &done.responses[1].response else {
        panic!("{done:?}")
    };
    assert_eq!(found.kvs[0].key, "k");
    let deleted = client
        .delete(taffrail_e2e::requests::delete_range("\0", "\0"))
        .await
        .deleted;
    assert_eq!(deleted, 2);
    assert_eq!(member.range(get("other")).await.count, 1);
}

#[tokio::test]
async fn watchers_and_leases_know_only_keys_inside() {
    let member = Member::fresh().await;
    let inside = proxy(&[member.address()], &["--namespace=ns/".to_owned()])
        .await
        .client_of();
    let client = &inside.1;
    let mut stream = client.watch().await;
    stream.create(watch_range("\0", "\0", 0)).await;
    stream.create(watch("k", 0)).await;
    let lease = client.grant(grant(60, 0)).await.id;
    let attached = |key: &'static str| taffrail_proto::etcdserverpb::PutRequest { lease, ..put(key, "v") };
    member.put(attached("outside")).await;
    client.put(attached("k")).await;
    for event in stream.events(2).await {
        assert_eq!(event.kv.unwrap().key, "k");
    }
    assert_eq!(client.time_to_live(lease).await.keys, ["k"]);
}
