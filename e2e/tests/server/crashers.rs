//! Requests that bring etcd 3.6.14 down. Here each is refused, and the member goes on.

use taffrail_e2e::Member;
use taffrail_e2e::requests::{delete, delete_range, get, put, range};
use taffrail_proto::etcdserverpb::request_op::Request;
use taffrail_proto::etcdserverpb::{AlarmRequest, DeleteRangeRequest, PutRequest, RequestOp, TxnRequest};
use tonic::{Code, Status};

fn op(request: Request) -> RequestOp {
    RequestOp { request: Some(request) }
}

/// Deletes everything from `a` on, and puts a key of it.
fn delete_from_and_put(put: PutRequest) -> TxnRequest {
    let delete = DeleteRangeRequest {
        key: "a".into(),
        range_end: vec![0].into(),
        ..Default::default()
    };
    let success = vec![op(Request::RequestDeleteRange(delete)), op(Request::RequestPut(put))];
    TxnRequest {
        success,
        ..Default::default()
    }
}

fn assert_refused(what: &str, status: Status, text: &str) {
    assert_eq!(
        (status.code(), status.message()),
        (Code::InvalidArgument, text),
        "{what}"
    );
}

#[tokio::test]
async fn an_unknown_alarm_action_and_open_ended_deletes_with_puts_are_refused() {
    let member = Member::fresh().await;
    member.put(put("k", "kept")).await;
    let unknown = AlarmRequest {
        action: 9,
        ..Default::default()
    };
    let refused = member.maintenance().alarm(unknown).await.unwrap_err();
    assert_refused("alarm", refused, "etcdserver: unknown alarm action");
    let plain = PutRequest {
        key: "k".into(),
        value: "v".into(),
        ..Default::default()
    };
    let keep_lease = PutRequest {
        ignore_lease: true,
        ..plain.clone()
    };
    let keep_value = PutRequest {
        value: Default::default(),
        ignore_value: true,
        ..plain.clone()
    };
    for (what, put) in [
        ("plain", plain),
        ("ignore_lease", keep_lease),
        ("ignore_value", keep_value),
    ] {
        let refused = member.kv().txn(delete_from_and_put(put)).await.unwrap_err();
        assert_refused(what, refused, "etcdserver: duplicate key given in txn request");
    }
    assert_eq!(member.range(get("k")).await.kvs[0].value, "kept");
}

#[tokio::test]
async fn keys_of_any_length_are_answered() {
    let member = Member::fresh().await;
    for bytes in [32_736, 32_737, 65_535, 65_536, 200_000] {
        let (key, all) = (vec![b'k'; bytes], vec![0]);
        let stored = member.kv().put(put(key.clone(), "v")).await;
        assert_eq!(stored.is_ok(), bytes <= 32_736, "{bytes} bytes: {stored:?}");
        assert_eq!(
            member.range(get(key.clone())).await.count,
            i64::from(stored.is_ok()),
            "{bytes} bytes"
        );
        member.range(range(key.clone(), all.clone())).await;
        member.range(range("a", key.clone())).await;
        member.delete(delete(key.clone())).await;
        member.delete(delete_range(key, all)).await;
    }
}
