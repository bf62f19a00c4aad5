//! KV.RangeStream: large ranges in pieces, for those who speak etcd 3.7.

use taffrail_e2e::calls::revision;
use taffrail_e2e::requests::{compact, delete, get, put, range};
use taffrail_e2e::{Member, wait};
use taffrail_proto::etcdserverpb::range_request::{SortOrder, SortTarget};
use taffrail_proto::etcdserverpb::{RangeRequest, RangeResponse};
use tonic::{Code, Status};

async fn newer() -> Member {
    Member::builder()
        .variable("ETCD_COMPATIBILITY_VERSION", "3.7.0")
        .start()
        .await
}

async fn stream(member: &Member, request: RangeRequest) -> Result<Vec<RangeResponse>, Status> {
    let mut stream = member.kv().range_stream(request).await?.into_inner();
    let mut pieces = Vec::new();
    while let Some(piece) = wait::for_it("a piece", stream.message()).await? {
        pieces.push(piece.range_response.unwrap());
    }
    Ok(pieces)
}

async fn fill(member: &Member, keys: usize, value_bytes: usize) {
    for key in 0..keys {
        member.put(put(format!("k{key:04}"), vec![b'v'; value_bytes])).await;
    }
}

#[tokio::test]
async fn a_member_that_speaks_3_6_does_not_know_it() {
    let member = Member::fresh().await;
    let refused = stream(&member, get("k")).await.unwrap_err();
    let text = "unknown method RangeStream for service etcdserverpb.KV";
    assert_eq!((refused.code(), refused.message()), (Code::Unimplemented, text));
}

#[tokio::test]
async fn the_pieces_are_the_range_and_the_last_one_tells_about_it() {
    let member = newer().await;
    fill(&member, 35, 1).await;
    let whole = member.range(range("k", "l")).await;
    let pieces = stream(&member, range("k", "l")).await.unwrap();
    let sizes: Vec<_> = pieces.iter().map(|piece| piece.kvs.len()).collect();
    assert_eq!(sizes, [10, 20, 5]);
    let (last, before) = pieces.split_last().unwrap();
    assert!(
        before
            .iter()
            .all(|piece| piece.header.is_none() && !piece.more && piece.count == 0)
    );
    assert_eq!((last.count, last.more, last.header), (35, false, whole.header));
    assert_eq!(
        pieces.into_iter().flat_map(|piece| piece.kvs).collect::<Vec<_>>(),
        whole.kvs
    );
}

#[tokio::test]
async fn a_limit_ends_the_stream_and_the_count_goes_beyond_it() {
    let member = newer().await;
    fill(&member, 35, 1).await;
    for (limit, sizes, more) in [
        (10, vec![10], true),
        (25, vec![10, 15], true),
        (35, vec![10, 20, 5], false),
    ] {
        let request = RangeRequest {
            limit,
            ..range("k", "l")
        };
        let pieces = stream(&member, request).await.unwrap();
        assert_eq!(pieces.iter().map(|piece| piece.kvs.len()).collect::<Vec<_>>(), sizes);
        let last = pieces.last().unwrap();
        assert_eq!((last.count, last.more), (35, more), "limit {limit}");
    }
}

#[tokio::test]
async fn pieces_are_of_one_revision_whatever_is_written_meanwhile() {
    let member = newer().await;
    fill(&member, 100, 30_000).await;
    let mut pieces = member.kv().range_stream(range("k", "l")).await.unwrap().into_inner();
    let first = pieces.message().await.unwrap().unwrap();
    let mut seen = first.range_response.unwrap().kvs.len();
    member.delete(delete("k0099")).await;
    member.put(put("k0100", "late")).await;
    let mut last = None;
    while let Some(piece) = pieces.message().await.unwrap() {
        let piece = piece.range_response.unwrap();
        seen += piece.kvs.len();
        last = Some(piece);
    }
    let last = last.unwrap();
    assert_eq!((seen, last.count, revision(&last.header)), (100, 100, 101));
}

#[tokio::test]
async fn an_older_revision_is_streamed_under_the_newest_header() {
    let member = newer().await;
    fill(&member, 20, 1).await;
    let request = RangeRequest {
        revision: 13,
        ..range("k", "l")
    };
    let pieces = stream(&member, request.clone()).await.unwrap();
    let last = pieces.last().unwrap();
    assert_eq!((last.count, revision(&last.header)), (12, 21));
    member.kv().compact(compact(15)).await.unwrap();
    let refused = stream(&member, request).await.unwrap_err();
    assert_eq!(
        refused.message(),
        "etcdserver: mvcc: required revision has been compacted"
    );
}

#[tokio::test]
async fn a_count_a_single_key_and_nothing_are_one_message() {
    let member = newer().await;
    fill(&member, 35, 1).await;
    let count = RangeRequest {
        count_only: true,
        ..range("k", "l")
    };
    for (request, count, keys) in [
        (count, 35, 0),
        (get("k0001"), 1, 1),
        (get("none"), 0, 0),
        (range("x", "z"), 0, 0),
    ] {
        let pieces = stream(&member, request).await.unwrap();
        assert_eq!(pieces.len(), 1);
        assert_eq!(
            (pieces[0].count, pieces[0].kvs.len(), revision(&pieces[0].header)),
            (count, keys, 36)
        );
    }
}

#[tokio::test]
async fn what_cannot_come_in_pieces_is_refused_so_that_clients_fall_back() {
    let member = newer().await;
    let sorted = RangeRequest {
        sort_order: SortOrder::Descend.into(),
        sort_target: SortTarget::Mod.into(),
        ..range("k", "l")
    };
    let filtered = RangeRequest {
        min_mod_revision: 1,
        ..range("k", "l")
    };
    for (request, code, text) in [
        (
            sorted,
            Code::Unimplemented,
            "RangeStream does not support custom sort orders",
        ),
        (
            filtered,
            Code::Unimplemented,
            "RangeStream does not support revision filters",
        ),
        (get(""), Code::InvalidArgument, "etcdserver: key is not provided"),
    ] {
        let refused = stream(&member, request).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (code, text));
    }
}

#[tokio::test]
async fn a_compaction_that_overtakes_a_slow_client_ends_its_stream() {
    let member = newer().await;
    fill(&member, 100, 50_000).await;
    let mut pieces = member.kv().range_stream(range("k", "l")).await.unwrap().into_inner();
    assert!(pieces.message().await.unwrap().is_some());
    // Most of it is not asked for yet: nobody reads that far ahead of the client.
    member.put(put("later", "v")).await;
    member.compact(102).await;
    let ended = loop {
        match wait::for_it("the end", pieces.message()).await {
            Ok(piece) => assert!(piece.is_some(), "the stream must not end as if it were whole"),
            Err(status) => break status,
        }
    };
    let text = "etcdserver: mvcc: required revision has been compacted";
    assert_eq!((ended.code(), ended.message()), (Code::OutOfRange, text));
}
