//! Put, range and delete.

use taffrail_e2e::requests::{FROM_KEY, delete, delete_range, everything, get, put, range};
use taffrail_e2e::{Member, calls::revision};
use taffrail_proto::etcdserverpb::range_request::{SortOrder, SortTarget};
use taffrail_proto::etcdserverpb::{PutRequest, RangeRequest, RangeResponse};

fn keys(response: &RangeResponse) -> Vec<String> {
    response
        .kvs
        .iter()
        .map(|kv| String::from_utf8_lossy(&kv.key).into_owned())
        .collect()
}

async fn with_keys(keys: &[&str]) -> Member {
    let member = Member::fresh().await;
    for key in keys {
        member.put(put(key.to_string(), format!("value of {key}"))).await;
    }
    member
}

#[tokio::test]
async fn a_fresh_store_is_at_revision_one_and_the_first_put_at_two() {
    let member = Member::fresh().await;
    let empty = member.range(everything()).await;
    assert_eq!((revision(&empty.header), empty.count), (1, 0));
    assert_eq!(revision(&member.put(put("k", "v")).await.header), 2);
}

#[tokio::test]
async fn a_key_counts_its_versions_and_starts_over_after_a_delete() {
    let member = Member::fresh().await;
    member.put(put("k", "1")).await;
    member.put(put("k", "1")).await;
    let kv = member.range(get("k")).await.kvs.remove(0);
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (2, 3, 2));
    member.delete(delete("k")).await;
    member.put(put("k", "2")).await;
    let kv = member.range(get("k")).await.kvs.remove(0);
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (5, 5, 1));
}

#[tokio::test]
async fn the_answer_names_the_member_and_the_cluster() {
    let member = Member::fresh().await;
    let header = member.put(put("k", "v")).await.header.unwrap();
    assert!(header.cluster_id != 0 && header.member_id != 0 && header.raft_term > 0);
    assert_eq!(member.range(get("k")).await.header.unwrap(), header);
}

#[tokio::test]
async fn range_ends_mean_one_key_an_interval_or_all_that_follow() {
    let member = with_keys(&["a", "b", "c", "d"]).await;
    assert_eq!(keys(&member.range(get("b")).await), ["b"]);
    assert_eq!(keys(&member.range(range("b", "d")).await), ["b", "c"]);
    assert_eq!(keys(&member.range(range("c", FROM_KEY)).await), ["c", "d"]);
    assert_eq!(keys(&member.range(everything()).await), ["a", "b", "c", "d"]);
    assert_eq!(member.range(range("d", "b")).await.count, 0);
}

#[tokio::test]
async fn count_ignores_limit_and_filters_and_more_does_not() {
    let member = with_keys(&["a", "b", "c", "d"]).await;
    let page = member
        .range(RangeRequest {
            limit: 3,
            ..everything()
        })
        .await;
    assert_eq!((keys(&page).len(), page.count, page.more), (3, 4, true));
    let filtered = member
        .range(RangeRequest {
            limit: 1,
            min_mod_revision: 5,
            ..everything()
        })
        .await;
    assert_eq!(
        (keys(&filtered), filtered.count, filtered.more),
        (vec!["d".to_owned()], 4, false)
    );
    let filtered = member
        .range(RangeRequest {
            max_create_revision: 3,
            ..everything()
        })
        .await;
    assert_eq!((keys(&filtered).len(), filtered.count), (2, 4));
}

#[tokio::test]
async fn count_only_and_keys_only_leave_the_rest_out() {
    let member = with_keys(&["a", "b"]).await;
    let counted = member
        .range(RangeRequest {
            count_only: true,
            limit: 1,
            ..everything()
        })
        .await;
    assert_eq!((counted.kvs.len(), counted.count, counted.more), (0, 2, false));
    let bare = member
        .range(RangeRequest {
            keys_only: true,
            ..everything()
        })
        .await;
    assert_eq!(keys(&bare), ["a", "b"]);
    assert!(
        bare.kvs
            .iter()
            .all(|kv| kv.value.is_empty() && kv.mod_revision > 0 && kv.version == 1)
    );
}

#[tokio::test]
async fn sorting_comes_before_the_limit() {
    let member = with_keys(&["c", "a", "b"]).await;
    let sorted = |order: SortOrder, target: SortTarget| RangeRequest {
        sort_order: order.into(),
        sort_target: target.into(),
        limit: 2,
        ..everything()
    };
    for (order, target, expected) in [
        (SortOrder::Descend, SortTarget::Key, ["c", "b"]),
        (SortOrder::Ascend, SortTarget::Create, ["c", "a"]),
        (SortOrder::Descend, SortTarget::Mod, ["b", "a"]),
        (SortOrder::Descend, SortTarget::Value, ["c", "b"]),
        (SortOrder::None, SortTarget::Create, ["c", "a"]),
    ] {
        let page = member.range(sorted(order, target)).await;
        assert_eq!(keys(&page), expected, "{order:?} {target:?}");
        assert!(page.more);
    }
}

#[tokio::test]
async fn the_past_can_be_read_and_the_header_tells_the_present() {
    let member = with_keys(&["k", "k", "other"]).await;
    member.delete(delete("k")).await;
    let past = member
        .range(RangeRequest {
            revision: 2,
            ..everything()
        })
        .await;
    assert_eq!((revision(&past.header), past.kvs[0].version, past.count), (5, 1, 1));
    assert_eq!(
        member
            .range(RangeRequest {
                revision: 3,
                ..get("k")
            })
            .await
            .kvs[0]
            .version,
        2
    );
    assert_eq!(
        member
            .range(RangeRequest {
                revision: 5,
                ..get("k")
            })
            .await
            .count,
        0
    );
}

#[tokio::test]
async fn a_serializable_range_answers_as_well() {
    let member = with_keys(&["k"]).await;
    assert_eq!(
        member
            .range(RangeRequest {
                serializable: true,
                ..get("k")
            })
            .await
            .count,
        1
    );
}

#[tokio::test]
async fn a_delete_takes_one_revision_and_none_if_nothing_was_there() {
    let member = with_keys(&["a", "b", "c"]).await;
    let none = member.delete(delete("absent")).await;
    assert_eq!((none.deleted, revision(&none.header)), (0, 4));
    let request = taffrail_proto::etcdserverpb::DeleteRangeRequest {
        prev_kv: true,
        ..delete_range("a", "c")
    };
    let two = member.delete(request).await;
    assert_eq!((two.deleted, revision(&two.header)), (2, 5));
    let previous: Vec<_> = two.prev_kvs.iter().map(|kv| (&kv.key[..], kv.mod_revision)).collect();
    assert_eq!(previous, [(&b"a"[..], 2), (&b"b"[..], 3)]);
}

#[tokio::test]
async fn a_put_can_return_the_previous_version_and_keep_its_value() {
    let member = with_keys(&["k"]).await;
    let first = member
        .put(PutRequest {
            prev_kv: true,
            ..put("new", "v")
        })
        .await;
    assert_eq!(first.prev_kv, None);
    let second = member
        .put(PutRequest {
            prev_kv: true,
            ..put("k", "2")
        })
        .await;
    assert_eq!(&second.prev_kv.unwrap().value[..], b"value of k");
    member
        .put(PutRequest {
            ignore_value: true,
            ..put("k", "")
        })
        .await;
    let kv = member.range(get("k")).await.kvs.remove(0);
    assert_eq!((&kv.value[..], kv.version), (&b"2"[..], 3));
}

#[tokio::test]
async fn keys_and_values_are_any_bytes() {
    let member = Member::fresh().await;
    let key: Vec<u8> = (0..=255).collect();
    member.put(put(key.clone(), vec![0; 1 << 20])).await;
    member.put(put(vec![0xff, 0xff], "")).await;
    let found = member.range(get(key.clone())).await.kvs.remove(0);
    assert_eq!((found.key.to_vec(), found.value.len()), (key, 1 << 20));
    assert_eq!(member.range(range(vec![0xff], FROM_KEY)).await.count, 1);
}
