//! A proxy answers as the members behind it do.

use taffrail_e2e::cluster::Plain;
use taffrail_e2e::requests::{get, grant, op_get, op_put, put, txn, version_is, watch};
use taffrail_e2e::{Member, http, wait};

use crate::proxied::{before, proxy};

#[tokio::test]
async fn calls_of_every_service_go_through() {
    let member = Member::fresh().await;
    let proxy = before(&member).await;
    let client = &proxy.client;
    client.put(put("k", "v")).await;
    assert_eq!(client.text("k").await.as_deref(), Some("v"));
    assert_eq!(member.text("k").await.as_deref(), Some("v"));
    let done = client
        .txn(txn(vec![version_is("k", 1)], vec![op_put("a", "1")], vec![op_get("k")]))
        .await;
    assert!(done.succeeded);
    let lease = client.grant(grant(60, 0)).await.id;
    assert!(client.keep_alive(lease).await.ttl > 0);
    assert_eq!(client.lease_ids().await, [lease]);
    client.revoke(lease).await;
    let mut lock = client.lock();
    let held = client.grant(grant(60, 0)).await.id;
    let locked = taffrail_proto::v3lockpb::LockRequest {
        name: "l".into(),
        lease: held,
    };
    assert!(!lock.lock(locked).await.unwrap().into_inner().key.is_empty());
    assert!(!client.snapshot().await.is_empty());
    assert_eq!(client.hash_kv(0).await.hash, member.hash_kv(0).await.hash);
    let refused = client.kv().range(get("")).await.unwrap_err();
    assert_eq!(refused.message(), "etcdserver: key is not provided");
}

#[tokio::test]
async fn clients_are_told_of_the_proxy_and_not_of_the_member() {
    let member = Member::fresh().await;
    let proxy = before(&member).await;
    let members = proxy.client.members().await;
    assert_eq!(members.len(), 1);
    assert_eq!(members[0].client_ur_ls, vec![proxy.address]);
}

#[tokio::test]
async fn proxies_that_share_a_prefix_are_told_together() {
    let member = Member::fresh().await;
    let flags = ["--resolver-prefix=___proxy".to_owned(), "--resolver-ttl=60".to_owned()];
    let first = proxy(&[member.address()], &flags).await;
    let second = proxy(&[member.address()], &flags).await;
    let mut expected = [first.address.clone(), second.address.clone()];
    expected.sort();
    wait::until("both to be listed", async || {
        let members = first.client.members().await;
        let mut urls: Vec<_> = members.into_iter().flat_map(|member| member.client_ur_ls).collect();
        urls.sort();
        (urls == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn pages_tell_of_the_member_and_of_the_proxy() {
    let mut member = Member::fresh().await;
    let proxy = before(&member).await;
    let page = |path: &'static str| http::get(&proxy.address, path);
    assert!(page("/metrics").await.body.contains("etcd_server_has_leader 1"));
    assert!(
        page("/proxy/metrics")
            .await
            .body
            .contains("etcd_grpc_proxy_watchers_coalescing_total 0")
    );
    assert_eq!(page("/health").await.body, r#"{"health":"true","reason":""}"#);
    assert_eq!(page("/proxy/health").await.status, 200);
    assert_eq!(page("/nowhere").await.status, 404);
    member.kill_nine();
    let sick = page("/health").await;
    assert_eq!(sick.status, 503);
    assert!(sick.body.contains(r#""health":"false""#), "{}", sick.body);
}

#[tokio::test]
async fn another_member_takes_over_and_watchers_miss_nothing() {
    let mut cluster = Plain::three().await;
    let proxy = proxy(&cluster.client_urls(), &[]).await;
    let mut stream = proxy.client.watch().await;
    stream.create(watch("k", 0)).await;
    proxy.client.put(put("k", "0")).await;
    cluster.kill_nine(0);
    for step in 1..4 {
        wait::until("a put to go through", async || {
            proxy.client.kv().put(put("k", step.to_string())).await.ok()
        })
        .await;
    }
    let mut last = String::new();
    let mut revisions = Vec::new();
    while last != "3" {
        for event in stream.next().await.events {
            let kv = event.kv.unwrap();
            revisions.push(kv.mod_revision);
            last = String::from_utf8_lossy(&kv.value).into_owned();
        }
    }
    let expected: Vec<i64> = (revisions[0]..revisions[0] + revisions.len() as i64).collect();
    assert_eq!(revisions, expected);
}
