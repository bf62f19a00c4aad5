//! A watcher hears everything once, in order, however slow its client is.

mod common;

use std::time::Duration;

use common::{NOBODY, member, next, revisions, spec};
use taffrail_member::watch::{INVALID_WATCH_ID, WatchItem};
use taffrail_proto::etcdserverpb::CompactionRequest;
use tokio::time::Instant;

#[tokio::test]
async fn a_live_watcher_hears_of_its_range_only() {
    let m = member(|_| {}).await;
    let stream = m.member.watch_stream();
    stream.create(spec("b", "c", 0));
    assert!(matches!(
        next(&stream).await,
        WatchItem::Created {
            watch_id: 0,
            revision: 1
        }
    ));
    m.put("a", "").await;
    let wanted = [m.put("b", "").await, m.put("bz", "").await];
    m.put("c", "").await;
    assert_eq!(revisions(&stream, 2).await, wanted);
}

#[tokio::test]
async fn history_is_followed_by_the_present_without_gap_or_repeat() {
    let m = member(|_| {}).await;
    let mut wanted = Vec::new();
    for i in 0..50 {
        wanted.push(m.put("k", &i.to_string()).await);
    }
    let stream = m.member.watch_stream();
    stream.create(spec("k", "", 2));
    let writer = async {
        for i in 0..50 {
            m.put("k", &i.to_string()).await;
        }
    };
    let (heard, ()) = tokio::join!(revisions(&stream, 100), writer);
    wanted.extend(52..102);
    assert_eq!(heard, wanted);
}

#[tokio::test]
async fn a_client_that_does_not_read_costs_a_bounded_queue_and_loses_nothing() {
    let m = member(|config| config.limits.watch_queue_bytes_max = 2_000).await;
    let (stalled, live) = (m.member.watch_stream(), m.member.watch_stream());
    stalled.create(spec("k", "", 0));
    live.create(spec("k", "", 0));
    let mut wanted = Vec::new();
    for _ in 0..200 {
        wanted.push(m.put("k", "0123456789").await);
        assert_eq!(revisions(&live, 1).await, wanted[wanted.len() - 1..]);
    }
    assert!(stalled.queued_bytes() < 4_000, "{} bytes", stalled.queued_bytes());
    assert_eq!(revisions(&stalled, 200).await, wanted);
    assert_eq!(revisions(&stalled, 0).await, Vec::<i64>::new());
    wanted.push(m.put("k", "again live").await);
    assert_eq!(revisions(&stalled, 1).await, wanted[200..]);
}

#[tokio::test]
async fn a_watcher_from_below_the_floor_is_created_then_canceled() {
    let m = member(|_| {}).await;
    for _ in 0..5 {
        m.put("k", "").await;
    }
    m.member
        .compact(
            &NOBODY,
            CompactionRequest {
                revision: 4,
                physical: true,
            },
        )
        .await
        .expect("compacted");
    let stream = m.member.watch_stream();
    stream.create(spec("k", "", 3));
    assert!(matches!(next(&stream).await, WatchItem::Created { .. }));
    assert!(matches!(
        next(&stream).await,
        WatchItem::Compacted {
            watch_id: 0,
            compact_revision: 4
        }
    ));
    let at_floor = m.member.watch_stream();
    at_floor.create(spec("k", "", 4));
    assert_eq!(revisions(&at_floor, 3).await, [4, 5, 6]);
}

#[tokio::test]
async fn progress_speaks_for_all_watchers_or_for_none() {
    let m = member(|_| {}).await;
    let stream = m.member.watch_stream();
    stream.request_progress();
    stream.create(spec("a", "", 0));
    assert!(matches!(next(&stream).await, WatchItem::Created { .. }));
    m.put("b", "").await;
    stream.request_progress();
    assert!(matches!(
        next(&stream).await,
        WatchItem::Progress {
            watch_id: INVALID_WATCH_ID,
            revision: 2
        }
    ));
    // A watcher whose start lies ahead holds the progress back.
    stream.create(spec("a", "", 100));
    assert!(matches!(next(&stream).await, WatchItem::Created { watch_id: 1, .. }));
    stream.request_progress();
    stream.cancel(1);
    assert!(matches!(next(&stream).await, WatchItem::Canceled { watch_id: 1, .. }));
}

#[tokio::test]
async fn a_silent_watcher_is_told_how_far_it_is_with_its_own_id() {
    let m = member(|config| config.watch_progress_interval = Duration::from_millis(20)).await;
    let stream = m.member.watch_stream();
    stream.create(taffrail_member::watch::WatchSpec {
        progress_notify: true,
        ..spec("a", "", 0)
    });
    let mut tick = Instant::now();
    let mut items = Vec::new();
    while items.len() < 2 {
        items.push(stream.next(&mut tick).await.expect("open"));
    }
    assert!(
        matches!(
            items[1],
            WatchItem::Progress {
                watch_id: 0,
                revision: 1
            }
        ),
        "{items:?}"
    );
}

#[tokio::test]
async fn ids_are_unique_on_a_stream_and_unknown_ones_are_not_answered() {
    let m = member(|_| {}).await;
    let stream = m.member.watch_stream();
    stream.create(taffrail_member::watch::WatchSpec {
        watch_id: 5,
        ..spec("a", "", 0)
    });
    stream.create(taffrail_member::watch::WatchSpec {
        watch_id: 5,
        ..spec("a", "", 0)
    });
    stream.create(spec("b", "a", 0));
    stream.cancel(99);
    stream.create(spec("a", "", 0));
    assert!(matches!(next(&stream).await, WatchItem::Created { watch_id: 5, .. }));
    let duplicate = "mvcc: duplicate watch ID provided on the WatchStream";
    assert!(matches!(next(&stream).await, WatchItem::Refused { reason, .. } if reason == duplicate));
    let empty = "mvcc: watcher range is empty";
    assert!(matches!(next(&stream).await, WatchItem::Refused { reason, .. } if reason == empty));
    assert!(matches!(next(&stream).await, WatchItem::Created { watch_id: 0, .. }));
}

#[tokio::test]
async fn shutdown_ends_a_waiting_stream() {
    let m = member(|_| {}).await;
    let stream = m.member.watch_stream();
    let mut tick = Instant::now() + Duration::from_secs(3600);
    let (end, ()) = tokio::join!(stream.next(&mut tick), m.member.shutdown());
    assert!(end.is_none());
}
