//! Watching keys: what is told, and in which order.

use taffrail_e2e::requests::{delete, everything, op_delete, op_put, put, txn, watch, watch_range};
use taffrail_e2e::{Member, calls::revision};
use taffrail_proto::etcdserverpb::WatchCreateRequest;
use taffrail_proto::etcdserverpb::watch_create_request::FilterType;
use taffrail_proto::mvccpb::Event;
use taffrail_proto::mvccpb::event::EventType;

fn told(event: &Event) -> (EventType, String, i64) {
    let kv = event.kv.as_ref().unwrap();
    (
        event.r#type(),
        String::from_utf8_lossy(&kv.key).into_owned(),
        kv.mod_revision,
    )
}

#[tokio::test]
async fn changes_after_the_start_are_told_in_order() {
    let member = Member::fresh().await;
    let mut stream = member.watch().await;
    stream.create(watch_range("a", "c", 0)).await;
    member.put(put("a", "1")).await;
    member.put(put("z", "not watched")).await;
    member.put(put("b", "2")).await;
    member.delete(delete("a")).await;
    let events: Vec<_> = stream.events(3).await.iter().map(told).collect();
    let expected = [
        (EventType::Put, "a", 2),
        (EventType::Put, "b", 4),
        (EventType::Delete, "a", 5),
    ];
    assert_eq!(events, expected.map(|(kind, key, at)| (kind, key.to_owned(), at)));
}

#[tokio::test]
async fn history_is_told_from_any_revision_on_and_then_the_present() {
    let member = Member::fresh().await;
    for number in 0..3_000 {
        member.put(put(format!("k{}", number % 7), "v")).await;
    }
    let mut stream = member.watch().await;
    stream.create(watch_range("k", "l", 500)).await;
    member.put(put("k0", "last")).await;
    let events = stream.events(3_002 - 500 + 1).await;
    let revisions: Vec<_> = events.iter().map(|event| told(event).2).collect();
    assert_eq!(revisions, (500..=3_002).collect::<Vec<_>>());
}

#[tokio::test]
async fn previous_versions_are_told_on_request() {
    let member = Member::fresh().await;
    let mut stream = member.watch().await;
    stream
        .create(WatchCreateRequest {
            prev_kv: true,
            ..watch("k", 0)
        })
        .await;
    member.put(put("k", "1")).await;
    member.put(put("k", "2")).await;
    member.delete(delete("k")).await;
    let events = stream.events(3).await;
    let previous: Vec<_> = events
        .iter()
        .map(|event| event.prev_kv.as_ref().map(|kv| kv.value.to_vec()))
        .collect();
    assert_eq!(previous, [None, Some(b"1".to_vec()), Some(b"2".to_vec())]);
    let deleted = events[2].kv.as_ref().unwrap();
    assert_eq!(
        (deleted.value.len(), deleted.create_revision, deleted.version),
        (0, 0, 0)
    );

    let mut late = member.watch().await;
    late.create(WatchCreateRequest {
        prev_kv: true,
        ..watch("k", 2)
    })
    .await;
    assert_eq!(late.events(3).await, events);
}

#[tokio::test]
async fn filters_leave_out_puts_or_deletes() {
    let member = Member::fresh().await;
    for (filter, expected) in [
        (FilterType::Noput, EventType::Delete),
        (FilterType::Nodelete, EventType::Put),
    ] {
        let mut stream = member.watch().await;
        stream
            .create(WatchCreateRequest {
                filters: vec![filter.into()],
                ..watch("k", 0)
            })
            .await;
        for _ in 0..2 {
            member.put(put("k", "v")).await;
            member.delete(delete("k")).await;
        }
        let events = stream.events(2).await;
        assert!(events.iter().all(|event| event.r#type() == expected), "{filter:?}");
    }
}

#[tokio::test]
async fn one_revision_is_told_in_one_response() {
    let member = Member::fresh().await;
    let mut stream = member.watch().await;
    stream.create(watch_range("k", "l", 0)).await;
    let puts = (0..100)
        .map(|number| op_put(format!("k{number:02}"), vec![1; 1000]))
        .collect();
    member.txn(txn(vec![], puts, vec![])).await;
    let response = stream.next().await;
    assert_eq!(
        (response.events.len(), revision(&response.header), response.fragment),
        (100, 2, false)
    );
    member
        .txn(txn(vec![], vec![op_delete("k", "l"), op_put("l", "v")], vec![]))
        .await;
    assert_eq!(stream.next().await.events.len(), 100);
}

#[tokio::test]
async fn a_huge_revision_is_split_only_for_those_who_asked() {
    let member = Member::builder().arg("--max-request-bytes=8388608").start().await;
    let puts = || {
        (0..6)
            .map(|number| op_put(format!("k{number}"), vec![1; 1 << 20]))
            .collect()
    };
    member.txn(txn(vec![], puts(), vec![])).await;
    member.txn(txn(vec![], puts(), vec![])).await;
    // With what was there before, the second revision is 12 MiB: more than a request may be.
    let request = || WatchCreateRequest {
        prev_kv: true,
        ..watch_range("k", "l", 3)
    };
    let mut whole = member.watch().await;
    whole.create(request()).await;
    assert_eq!(whole.next().await.events.len(), 6);

    let mut split = member.watch().await;
    split
        .create(WatchCreateRequest {
            fragment: true,
            ..request()
        })
        .await;
    let first = split.next().await;
    assert!(
        first.fragment && first.events.len() < 6,
        "{} events in one piece",
        first.events.len()
    );
    let mut events = first.events.len();
    while events < 6 {
        let response = split.next().await;
        events += response.events.len();
        assert_eq!(
            response.fragment,
            events < 6,
            "only the last piece says that it is the last"
        );
    }
}

#[tokio::test]
async fn a_watcher_of_the_future_is_told_nothing_before_it() {
    let member = Member::fresh().await;
    let mut stream = member.watch().await;
    stream.create(watch("k", 4)).await;
    for value in ["2", "3", "4"] {
        member.put(put("k", value)).await;
    }
    assert_eq!(told(&stream.events(1).await[0]).2, 4);
}

#[tokio::test]
async fn what_is_told_is_what_a_range_finds() {
    let member = Member::fresh().await;
    let mut stream = member.watch().await;
    stream.create(watch_range("\0", "\0", 0)).await;
    for number in 0..100 {
        member.put(put(format!("k{}", number % 10), format!("{number}"))).await;
    }
    let mut state = std::collections::BTreeMap::new();
    for event in stream.events(100).await {
        let kv = event.kv.unwrap();
        state.insert(kv.key.clone(), kv);
    }
    assert_eq!(
        member.range(everything()).await.kvs,
        state.into_values().collect::<Vec<_>>()
    );
}
