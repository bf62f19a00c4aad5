//! Many watchers at a proxy are few at the member.

use taffrail_e2e::Member;
use taffrail_e2e::requests::{put, watch, watch_range};
use taffrail_proto::etcdserverpb::watch_request::RequestUnion;
use taffrail_proto::etcdserverpb::{WatchCancelRequest, WatchCreateRequest, WatchProgressRequest};

use crate::proxied::{before, until_watchers};

const WATCHERS: usize = 100;

#[tokio::test]
async fn a_hundred_equal_watchers_are_one_for_the_member() {
    let member = Member::fresh().await;
    let proxy = before(&member).await;
    let mut streams = Vec::new();
    for _ in 0..WATCHERS {
        let mut stream = proxy.client.watch().await;
        stream.create(watch_range("a", "b", 0)).await;
        streams.push(stream);
    }
    until_watchers(&member, 1).await;
    proxy.client.put(put("a1", "v")).await;
    proxy.client.put(put("a2", "v")).await;
    for stream in &mut streams {
        let keys: Vec<_> = stream
            .events(2)
            .await
            .into_iter()
            .map(|event| event.kv.unwrap().key)
            .collect();
        assert_eq!(keys, ["a1", "a2"]);
    }
    drop(streams);
    until_watchers(&member, 0).await;
}

#[tokio::test]
async fn who_begins_in_the_past_hears_it_and_then_shares() {
    let member = Member::fresh().await;
    let proxy = before(&member).await;
    let mut live = proxy.client.watch().await;
    live.create(watch("k", 0)).await;
    let mut first = 0;
    for step in 0..10 {
        let revision = proxy
            .client
            .put(put("k", step.to_string()))
            .await
            .header
            .unwrap()
            .revision;
        first = if step == 0 { revision } else { first };
    }
    assert_eq!(live.events(10).await.len(), 10);
    let mut late = proxy.client.watch().await;
    late.create(watch("k", first + 3)).await;
    let heard = late.events(7).await;
    assert_eq!(heard[0].kv.as_ref().unwrap().mod_revision, first + 3);
    until_watchers(&member, 1).await;
    proxy.client.put(put("k", "last")).await;
    assert_eq!(late.events(1).await[0].kv.as_ref().unwrap().value, "last");
    assert_eq!(live.events(1).await[0].kv.as_ref().unwrap().value, "last");
}

#[tokio::test]
async fn each_watcher_hears_only_what_it_asked_for() {
    let member = Member::fresh().await;
    let proxy = before(&member).await;
    proxy.client.put(put("k", "old")).await;
    let mut plain = proxy.client.watch().await;
    plain.create(watch("k", 0)).await;
    let mut wanting = proxy.client.watch().await;
    let request = WatchCreateRequest {
        prev_kv: true,
        filters: vec![1],
        ..watch("k", 0)
    };
    wanting.create(request).await;
    until_watchers(&member, 1).await;
    proxy.client.delete(taffrail_e2e::requests::delete("k")).await;
    proxy.client.put(put("k", "new")).await;
    let all = plain.events(2).await;
    assert!(all[0].prev_kv.is_none() && all[0].r#type == 1);
    let puts = wanting.events(1).await;
    assert_eq!(puts[0].kv.as_ref().unwrap().value, "new");
}

#[tokio::test]
async fn a_compacted_past_is_told_as_the_member_tells_it() {
    let member = Member::fresh().await;
    let proxy = before(&member).await;
    for step in 0..5 {
        member.put(put("k", step.to_string())).await;
    }
    let now = member.revision().await;
    member.compact(now).await;
    let mut stream = proxy.client.watch().await;
    stream.create(watch("k", 1)).await;
    let end = stream.next().await;
    assert!(end.canceled);
    assert_eq!(end.compact_revision, now);
    until_watchers(&member, 0).await;
}

#[tokio::test]
async fn a_canceled_watcher_is_gone_and_the_others_stay() {
    let member = Member::fresh().await;
    let proxy = before(&member).await;
    let mut stream = proxy.client.watch().await;
    let first = stream.create(watch("k", 0)).await.watch_id;
    let second = stream.create(watch("k", 0)).await.watch_id;
    assert_ne!(first, second);
    until_watchers(&member, 1).await;
    stream.send(RequestUnion::CancelRequest(WatchCancelRequest { watch_id: first }));
    let end = stream.next().await;
    assert!(end.canceled && end.watch_id == first);
    proxy.client.put(put("k", "v")).await;
    let heard = stream.next().await;
    assert_eq!((heard.watch_id, heard.events.len()), (second, 1));
}

#[tokio::test]
async fn how_far_a_stream_is_is_told_on_demand() {
    let member = Member::fresh().await;
    let proxy = before(&member).await;
    let mut stream = proxy.client.watch().await;
    stream.create(watch("k", 0)).await;
    stream.create(watch("l", 0)).await;
    member.put(put("other", "v")).await;
    let now = member.revision().await;
    stream.send(RequestUnion::ProgressRequest(WatchProgressRequest {}));
    let answer = stream.next().await;
    assert!(answer.events.is_empty() && answer.watch_id == -1);
    assert_eq!(answer.header.unwrap().revision, now);
}
