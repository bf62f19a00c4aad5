//! Transactions.

use taffrail_e2e::requests::{
    compare, delete, everything, get, op_delete, op_get, op_put, op_txn, put, txn, value_is, version_is,
};
use taffrail_e2e::{Member, calls::revision};
use taffrail_proto::etcdserverpb::compare::{CompareResult, TargetUnion};
use taffrail_proto::etcdserverpb::response_op::Response;
use taffrail_proto::etcdserverpb::{Compare, RangeRequest, TxnResponse};

fn range_values(response: &TxnResponse) -> Vec<Vec<String>> {
    let ranges = response.responses.iter().filter_map(|op| match op.response.as_ref() {
        Some(Response::ResponseRange(range)) => Some(range),
        _ => None,
    });
    ranges
        .map(|range| {
            range
                .kvs
                .iter()
                .map(|kv| String::from_utf8_lossy(&kv.value).into_owned())
                .collect()
        })
        .collect()
}

#[tokio::test]
async fn a_whole_transaction_is_one_revision() {
    let member = Member::fresh().await;
    let done = member
        .txn(txn(
            vec![],
            vec![op_put("a", "1"), op_put("b", "2"), op_delete("x", "")],
            vec![],
        ))
        .await;
    assert_eq!(
        (done.succeeded, revision(&done.header), done.responses.len()),
        (true, 2, 3)
    );
    let all = member.range(everything()).await;
    assert!(all.kvs.iter().all(|kv| kv.mod_revision == 2));
}

#[tokio::test]
async fn an_empty_transaction_changes_nothing() {
    let member = Member::fresh().await;
    member.put(put("k", "v")).await;
    let done = member.txn(txn(vec![], vec![], vec![])).await;
    assert_eq!((done.succeeded, revision(&done.header)), (true, 2));
}

#[tokio::test]
async fn comparisons_choose_the_branch() {
    let member = Member::fresh().await;
    member.put(put("k", "v")).await;
    let branches = |compares| txn(compares, vec![op_get("k")], vec![]);
    use CompareResult::{Equal, Greater, Less, NotEqual};
    use TargetUnion::{CreateRevision, Lease, ModRevision, Value, Version};
    for (key, result, target, expected) in [
        ("k", Equal, Value("v".into()), true),
        ("k", NotEqual, Value("v".into()), false),
        ("k", Greater, Value("u".into()), true),
        ("k", Less, ModRevision(3), true),
        ("k", Equal, CreateRevision(2), true),
        ("k", Equal, Version(1), true),
        ("k", Equal, Lease(0), true),
        ("absent", Equal, Version(0), true),
        ("absent", Equal, CreateRevision(0), true),
        ("absent", NotEqual, Value("v".into()), false),
    ] {
        let done = member.txn(branches(vec![compare(key, result, target.clone())])).await;
        assert_eq!(done.succeeded, expected, "{key} {result:?} {target:?}");
    }
    let both = branches(vec![value_is("k", "v"), version_is("k", 2)]);
    assert!(!member.txn(both).await.succeeded, "all comparisons must hold");
}

#[tokio::test]
async fn a_comparison_of_a_range_must_hold_for_every_key() {
    let member = Member::fresh().await;
    member.put(put("a1", "v")).await;
    member.put(put("a2", "v")).await;
    let all = |value: &'static str| Compare {
        range_end: "b".into(),
        ..value_is("a", value)
    };
    assert!(member.txn(txn(vec![all("v")], vec![], vec![])).await.succeeded);
    member.put(put("a2", "other")).await;
    assert!(!member.txn(txn(vec![all("v")], vec![], vec![])).await.succeeded);
}

#[tokio::test]
async fn a_read_sees_the_writes_before_it() {
    let member = Member::fresh().await;
    member.put(put("k", "old")).await;
    let ops = vec![op_get("k"), op_put("k", "new"), op_get("k")];
    let done = member.txn(txn(vec![], ops, vec![])).await;
    assert_eq!(range_values(&done), [["old"], ["new"]]);
    let ops = vec![op_delete("k", ""), op_get("k")];
    assert_eq!(range_values(&member.txn(txn(vec![], ops, vec![])).await), [[""; 0]]);
}

#[tokio::test]
async fn an_inner_comparison_sees_the_state_before_the_transaction() {
    let member = Member::fresh().await;
    let inner = txn(
        vec![version_is("k", 0)],
        vec![op_put("fresh", "yes")],
        vec![op_put("fresh", "no")],
    );
    member
        .txn(txn(vec![], vec![op_put("k", "v"), op_txn(inner)], vec![]))
        .await;
    assert_eq!(member.text("fresh").await.as_deref(), Some("yes"));
}

#[tokio::test]
async fn both_branches_of_an_inner_transaction_may_write_the_same_key() {
    let member = Member::fresh().await;
    let inner = txn(vec![version_is("k", 0)], vec![op_put("k", "1")], vec![op_put("k", "2")]);
    assert!(member.txn(txn(vec![], vec![op_txn(inner)], vec![])).await.succeeded);
    assert_eq!(member.text("k").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_failing_read_undoes_the_whole_transaction() {
    let member = Member::fresh().await;
    let future = taffrail_proto::etcdserverpb::request_op::Request::RequestRange(RangeRequest {
        revision: 99,
        ..get("k")
    });
    let ops = vec![op_put("k", "v"), taffrail_e2e::requests::op(future)];
    assert!(member.kv().txn(txn(vec![], ops, vec![])).await.is_err());
    assert_eq!(member.text("k").await, None);
}

#[tokio::test]
async fn a_guarded_update_loses_to_a_write_in_between() {
    let member = Member::fresh().await;
    member.put(put("k", "1")).await;
    let guard = || vec![compare("k", CompareResult::Equal, TargetUnion::ModRevision(2))];
    member.put(put("k", "2")).await;
    let done = member
        .txn(txn(guard(), vec![op_put("k", "mine")], vec![op_get("k")]))
        .await;
    assert_eq!(
        (done.succeeded, range_values(&done)),
        (false, vec![vec!["2".to_owned()]])
    );
    member.delete(delete("k")).await;
    assert!(
        !member
            .txn(txn(guard(), vec![op_put("k", "mine")], vec![]))
            .await
            .succeeded
    );
}
