//! Many watchers on one stream: ids, cancelling, progress.

use taffrail_e2e::requests::{put, watch, watch_range};
use taffrail_e2e::{Member, calls::revision};
use taffrail_proto::etcdserverpb::watch_request::RequestUnion;
use taffrail_proto::etcdserverpb::{WatchCancelRequest, WatchCreateRequest, WatchProgressRequest};

const COMPACTED: &str = "etcdserver: mvcc: required revision has been compacted";

#[tokio::test]
async fn ids_are_counted_per_stream_or_chosen_by_the_client() {
    let member = Member::fresh().await;
    let mut stream = member.watch().await;
    assert_eq!(stream.create(watch("a", 0)).await.watch_id, 0);
    assert_eq!(stream.create(watch("a", 0)).await.watch_id, 1);
    assert_eq!(
        stream
            .create(WatchCreateRequest {
                watch_id: 7,
                ..watch("a", 0)
            })
            .await
            .watch_id,
        7
    );
    member.put(put("a", "v")).await;
    let mut ids = vec![
        stream.next().await.watch_id,
        stream.next().await.watch_id,
        stream.next().await.watch_id,
    ];
    ids.sort_unstable();
    assert_eq!(ids, [0, 1, 7]);
}

#[tokio::test]
async fn an_id_in_use_is_refused_and_the_stream_goes_on() {
    let member = Member::fresh().await;
    let mut stream = member.watch().await;
    stream
        .create(WatchCreateRequest {
            watch_id: 7,
            ..watch("a", 0)
        })
        .await;
    let refused = stream
        .create(WatchCreateRequest {
            watch_id: 7,
            ..watch("b", 0)
        })
        .await;
    assert!(refused.canceled);
    let expected = (-1, "mvcc: duplicate watch ID provided on the WatchStream");
    assert_eq!((refused.watch_id, refused.cancel_reason.as_str()), expected);
    member.put(put("a", "v")).await;
    assert_eq!(stream.next().await.watch_id, 7);
}

#[tokio::test]
async fn an_empty_range_is_refused() {
    let member = Member::fresh().await;
    let refused = member.watch().await.create(watch_range("b", "a", 0)).await;
    assert_eq!((refused.canceled, refused.watch_id), (true, -1));
    assert_eq!(refused.cancel_reason, "mvcc: watcher range is empty");
}

#[tokio::test]
async fn a_negative_start_is_refused_as_compacted() {
    let member = Member::fresh().await;
    let refused = member.watch().await.create(watch("k", -1)).await;
    assert_eq!(
        (refused.canceled, refused.watch_id, refused.compact_revision),
        (true, -1, 0)
    );
    assert_eq!(refused.cancel_reason, COMPACTED);
}

#[tokio::test]
async fn a_compacted_start_is_confirmed_and_then_cancelled_with_the_floor() {
    let member = Member::fresh().await;
    for value in ["2", "3", "4", "5"] {
        member.put(put("k", value)).await;
    }
    member.compact(4).await;
    let mut stream = member.watch().await;
    let created = stream.create(watch("k", 2)).await;
    assert_eq!((created.canceled, revision(&created.header)), (false, 5));
    let cancelled = stream.next().await;
    assert_eq!(
        (cancelled.canceled, cancelled.compact_revision, cancelled.watch_id),
        (true, 4, created.watch_id)
    );
}

#[tokio::test]
async fn cancelling_is_confirmed_and_an_unknown_id_is_not() {
    let member = Member::fresh().await;
    let mut stream = member.watch().await;
    let id = stream.create(watch("k", 0)).await.watch_id;
    stream.send(RequestUnion::CancelRequest(WatchCancelRequest { watch_id: 99 }));
    stream.send(RequestUnion::CancelRequest(WatchCancelRequest { watch_id: id }));
    let cancelled = stream.next().await;
    assert_eq!(
        (cancelled.watch_id, cancelled.canceled, cancelled.cancel_reason.as_str()),
        (id, true, "")
    );
    member.put(put("k", "v")).await;
    assert!(stream.create(watch("k", 0)).await.events.is_empty());
}

#[tokio::test]
async fn progress_on_request_never_overtakes_events() {
    let member = Member::fresh().await;
    let mut stream = member.watch().await;
    stream.create(watch_range("k", "l", 0)).await;
    let mut last_told = 1;
    for round in 0..50 {
        let put_at = revision(&member.put(put(format!("k{round}"), "v")).await.header);
        stream.send(RequestUnion::ProgressRequest(WatchProgressRequest {}));
        loop {
            let response = stream.next().await;
            if response.watch_id == -1 {
                let mark = revision(&response.header);
                assert!(
                    last_told >= put_at.min(mark),
                    "progress {mark} came before event {put_at}"
                );
                break;
            }
            last_told = response.events.last().unwrap().kv.as_ref().unwrap().mod_revision;
            // A watcher that has just been told something may count as catching up: then progress is not answered.
            stream.send(RequestUnion::ProgressRequest(WatchProgressRequest {}));
        }
        while last_told < put_at {
            let response = stream.next().await;
            if let Some(event) = response.events.last() {
                last_told = event.kv.as_ref().unwrap().mod_revision;
            }
        }
    }
}

#[tokio::test]
async fn progress_is_told_unasked_when_nothing_happens() {
    let member = Member::builder()
        .arg("--watch-progress-notify-interval=200ms")
        .start()
        .await;
    let mut stream = member.watch().await;
    let id = stream
        .create(WatchCreateRequest {
            progress_notify: true,
            ..watch("k", 0)
        })
        .await
        .watch_id;
    member.put(put("other", "v")).await;
    let mark = stream.next().await;
    assert_eq!((mark.watch_id, mark.events.len()), (id, 0));
    let later = stream.next().await;
    assert_eq!(revision(&later.header), 2);
}
