//! The JSON form of the API.

use serde_json::{Value, json};
use taffrail_e2e::{Member, http};

async fn call(member: &Member, path: &str, body: Value) -> (u16, Value) {
    let answer = http::post(&member.address(), path, &body.to_string()).await;
    (
        answer.status,
        serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{path} answered {answer:?}")),
    )
}

#[tokio::test]
async fn keys_are_put_and_read_with_numbers_as_strings_and_bytes_as_base64() {
    let member = Member::fresh().await;
    let (status, answer) = call(&member, "/v3/kv/put", json!({"key": "Zm9v", "value": "YmFy"})).await;
    assert_eq!((status, &answer["header"]["revision"]), (200, &json!("2")));
    let (_, found) = call(&member, "/v3/kv/range", json!({"key": "Zm9v", "unknown": 1})).await;
    let expected =
        json!([{"key": "Zm9v", "create_revision": "2", "mod_revision": "2", "version": "1", "value": "YmFy"}]);
    assert_eq!((&found["kvs"], &found["count"]), (&expected, &json!("1")));
    assert!(found.get("more").is_none(), "what is zero is left out: {found}");
    let (_, deleted) = call(&member, "/v3/kv/deleterange", json!({"key": "Zm9v"})).await;
    assert_eq!(deleted["deleted"], "1");
}

#[tokio::test]
async fn errors_have_grpc_code_and_text() {
    let member = Member::fresh().await;
    let (status, answer) = call(&member, "/v3/kv/put", json!({"value": "YmFy"})).await;
    assert_eq!((status, &answer["code"]), (400, &json!(3)));
    assert_eq!(answer["message"], "etcdserver: key is not provided");
    assert_eq!(
        http::post(&member.address(), "/v3/kv/range", "{ this is not JSON")
            .await
            .status,
        400
    );
    assert_eq!(http::post(&member.address(), "/v3/nothing", "{}").await.status, 404);
}

#[tokio::test]
async fn transactions_leases_and_status_work_as_well() {
    let member = Member::fresh().await;
    let txn = json!({"success": [{"request_put": {"key": "Zm9v", "value": "YmFy"}}]});
    let (_, answer) = call(&member, "/v3/kv/txn", txn).await;
    assert_eq!(answer["succeeded"], true);
    let (_, lease) = call(&member, "/v3/lease/grant", json!({"TTL": 100, "ID": "5"})).await;
    assert_eq!((&lease["ID"], &lease["TTL"]), (&json!("5"), &json!("100")));
    let (_, status) = call(&member, "/v3/maintenance/status", json!({})).await;
    assert_eq!(status["leader"], status["header"]["member_id"]);
}
