//! What compaction takes away and what it leaves.

use taffrail_e2e::Member;
use taffrail_e2e::requests::{delete, everything, get, put, watch};
use taffrail_proto::etcdserverpb::RangeRequest;
use tonic::Code;

async fn five_versions() -> Member {
    let member = Member::fresh().await;
    for value in ["1", "2", "3", "4", "5"] {
        member.put(put("k", value)).await;
    }
    member
}

#[tokio::test]
async fn the_floor_itself_stays_readable_and_below_it_nothing() {
    let member = five_versions().await;
    member.compact(4).await;
    let at_floor = member
        .range(RangeRequest {
            revision: 4,
            ..get("k")
        })
        .await;
    assert_eq!(&at_floor.kvs[0].value[..], b"3");
    let below = member
        .kv()
        .range(RangeRequest {
            revision: 3,
            ..get("k")
        })
        .await
        .unwrap_err();
    assert_eq!(
        (below.code(), below.message()),
        (
            Code::OutOfRange,
            "etcdserver: mvcc: required revision has been compacted"
        )
    );
}

#[tokio::test]
async fn the_newest_versions_survive_whatever_is_compacted() {
    let member = five_versions().await;
    member.put(put("rarely written", "v")).await;
    member.put(put("deleted", "v")).await;
    member.delete(delete("deleted")).await;
    let before = member.range(everything()).await;
    member.compact(member.revision().await).await;
    assert_eq!(member.range(everything()).await.kvs, before.kvs);
    assert_eq!(member.revision().await, 9);
}

#[tokio::test]
async fn compaction_needs_no_revision_of_its_own_and_cannot_be_repeated() {
    let member = five_versions().await;
    member.compact(4).await;
    assert_eq!(member.revision().await, 6);
    let again = member
        .kv()
        .compact(taffrail_e2e::requests::compact(4))
        .await
        .unwrap_err();
    assert_eq!(again.code(), Code::OutOfRange);
}

#[tokio::test]
async fn history_can_be_watched_from_the_floor_on() {
    let member = five_versions().await;
    member.compact(4).await;
    let mut stream = member.watch().await;
    stream.create(watch("k", 4)).await;
    let events = stream.events(3).await;
    assert_eq!(
        events
            .iter()
            .map(|event| event.kv.as_ref().unwrap().mod_revision)
            .collect::<Vec<_>>(),
        [4, 5, 6]
    );
}
