//! The API in JSON: one request, one answer.

use serde_json::{Value, json};
use taffrail_e2e::requests::{get, put};
use taffrail_e2e::{Member, http};

async fn post(member: &Member, path: &str, body: &str) -> (u16, Value) {
    let answer = http::post(&member.address(), path, body).await;
    let parsed = serde_json::from_str(&answer.body);
    (
        answer.status,
        parsed.unwrap_or_else(|_| panic!("{path} answered {:?}", answer.body)),
    )
}

async fn ok(member: &Member, path: &str, body: &str) -> Value {
    let (status, answer) = post(member, path, body).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

#[tokio::test]
async fn keys_are_put_read_and_deleted() {
    let member = Member::fresh().await;
    let answer = http::post(&member.address(), "/v3/kv/put", r#"{"key":"Zm9v","value":"YmFy"}"#).await;
    assert!(
        answer.headers.contains("content-type: application/json"),
        "{}",
        answer.headers
    );
    let put: Value = serde_json::from_str(&answer.body).unwrap();
    let id = member.member_id().await.to_string();
    assert_eq!(
        (&put["header"]["revision"], &put["header"]["member_id"]),
        (&json!("2"), &json!(id))
    );
    assert_eq!(member.text("foo").await.unwrap(), "bar");
    let found = ok(&member, "/v3/kv/range", r#"{"key":"Zm9v","rangeEnd":"AA=="}"#).await;
    let kv = json!({"key":"Zm9v","create_revision":"2","mod_revision":"2","version":"1","value":"YmFy"});
    assert_eq!((&found["kvs"], &found["count"]), (&json!([kv]), &json!("1")));
    let deleted = ok(&member, "/v3beta/kv/deleterange", r#"{"key":"Zm9v"}"#).await;
    assert_eq!(deleted["deleted"], "1");
    assert_eq!(
        ok(&member, "/v3/kv/range", r#"{"key":"Zm9v"}"#).await.get("count"),
        None
    );
    ok(&member, "/v3/kv/compaction", r#"{"revision":"3"}"#).await;
    let (status, error) = post(&member, "/v3/kv/range", r#"{"key":"Zm9v","revision":1}"#).await;
    let text = "etcdserver: mvcc: required revision has been compacted";
    assert_eq!((status, error), (400, json!({"code":11,"message":text})));
}

#[tokio::test]
async fn a_transaction_shows_what_each_operation_did() {
    let member = Member::fresh().await;
    member.put(put("foo", "bar")).await;
    let txn = r#"{"compare":[{"key":"Zm9v","target":"VALUE","value":"YmFy"}],
        "success":[{"requestPut":{"key":"Zm9v","value":"YmF6"}},{"request_range":{"key":"Zm9v"}}]}"#;
    let answer = ok(&member, "/v3/kv/txn", txn).await;
    assert_eq!(answer["succeeded"], true);
    assert_eq!(
        answer["responses"][0],
        json!({"response_put":{"header":{"revision":"3"}}})
    );
    assert_eq!(answer["responses"][1]["response_range"]["kvs"][0]["value"], "YmF6");
}

#[tokio::test]
async fn leases_have_two_paths() {
    let member = Member::fresh().await;
    let granted = ok(&member, "/v3/lease/grant", r#"{"TTL":600,"ID":"7"}"#).await;
    assert_eq!((&granted["ID"], &granted["TTL"]), (&json!("7"), &json!("600")));
    for root in ["/v3/lease", "/v3/kv/lease"] {
        let left = ok(&member, &format!("{root}/timetolive"), r#"{"ID":7,"keys":true}"#).await;
        assert_eq!(left["grantedTTL"], "600", "{left}");
        let leases = ok(&member, &format!("{root}/leases"), "{}").await;
        assert_eq!(leases["leases"], json!([{"ID":"7"}]));
    }
    ok(&member, "/v3/kv/lease/revoke", r#"{"ID":7}"#).await;
    let (status, error) = post(&member, "/v3/lease/revoke", r#"{"ID":7}"#).await;
    let expected = json!({"code":5,"message":"etcdserver: requested lease not found"});
    assert_eq!((status, error), (404, expected));
}

#[tokio::test]
async fn a_member_tells_about_itself() {
    let member = Member::fresh().await;
    let status = ok(&member, "/v3/maintenance/status", "").await;
    assert_eq!(status["version"], member.status().await.version);
    assert_eq!(status["downgradeInfo"], json!({}));
    let members = ok(&member, "/v3/cluster/member/list", "{}").await;
    assert_eq!(members["members"][0]["name"], "m1");
    let hash = ok(&member, "/v3/maintenance/hashkv", "{}").await;
    assert!(hash["hash"].is_number() && hash["compact_revision"] == "-1", "{hash}");
    assert_eq!(ok(&member, "/v3/maintenance/defragment", "{}").await, json!({}));
    let auth = ok(&member, "/v3/auth/status", "{}").await;
    assert_eq!((auth.get("enabled"), &auth["authRevision"]), (None, &json!("1")));
    let (status, error) = post(&member, "/v3/maintenance/transfer-leadership", r#"{"targetID":1}"#).await;
    let expected = json!({"code":9,"message":"etcdserver: bad leader transferee"});
    assert_eq!((status, error), (400, expected));
}

#[tokio::test]
async fn locks_and_elections_have_paths() {
    let member = Member::fresh().await;
    ok(&member, "/v3/lease/grant", r#"{"TTL":600,"ID":7}"#).await;
    let locked = ok(&member, "/v3/lock/lock", r#"{"name":"bXlsb2Nr","lease":"7"}"#).await;
    assert_eq!(locked["key"], "bXlsb2NrLzc=");
    ok(&member, "/v3/lock/unlock", r#"{"key":"bXlsb2NrLzc="}"#).await;
    assert_eq!(member.range(get("mylock/7")).await.count, 0);
    let won = ok(
        &member,
        "/v3/election/campaign",
        r#"{"name":"ZQ==","lease":"7","value":"dg=="}"#,
    )
    .await;
    assert_eq!(won["leader"]["key"], "ZS83");
    let leader = ok(&member, "/v3/election/leader", r#"{"name":"ZQ=="}"#).await;
    assert_eq!(leader["kv"]["value"], "dg==");
    let (status, error) = post(&member, "/v3/election/leader", r#"{"name":"eA=="}"#).await;
    assert_eq!(
        (status, error),
        (500, json!({"code":2,"message":"election: no leader"}))
    );
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_told_why() {
    let member = Member::fresh().await;
    for (body, text) in [
        ("", "etcdserver: key is not provided"),
        (r#"{"key":"Zm9v""#, "unexpected EOF"),
        ("hello", "invalid character 'h' looking for beginning of value"),
        (r#"{"limit":"x"}"#, "invalid value for int64 field limit: \"x\""),
        (r#"{"key":"@@"}"#, "invalid value for bytes field key: \"@@\""),
    ] {
        let (status, error) = post(&member, "/v3/kv/range", body).await;
        assert_eq!((status, &error["code"]), (400, &json!(3)), "{body}");
        assert!(error["message"].as_str().unwrap().ends_with(text), "{body}: {error}");
    }
    let found = ok(&member, "/v3/kv/range", r#"{"key":"Zm9v","nope":{"a":[1]}}"#).await;
    assert!(found["header"].is_object());
}

#[tokio::test]
async fn only_the_methods_of_the_table_are_there_and_only_by_post() {
    let member = Member::fresh().await;
    let get = http::get(&member.address(), "/v3/kv/range").await;
    assert_eq!(get.status, 501);
    assert!(get.body.contains("Method Not Allowed"), "{}", get.body);
    for path in ["/v3/kv/nope", "/v3/", "/v3/kv/range/", "/v3/kv/rangestream"] {
        let (status, error) = post(&member, path, "{}").await;
        assert_eq!(
            (status, error),
            (404, json!({"code":5,"message":"Not Found"})),
            "{path}"
        );
    }
    assert_eq!(
        http::post(&member.address(), "/v3alpha/kv/range", "{}").await.status,
        404
    );
}

#[tokio::test]
async fn a_request_that_is_too_large_is_refused_and_the_member_goes_on() {
    let member = Member::fresh().await;
    let put = |bytes: usize| format!(r#"{{"key":"Zm9v","value":"{}"}}"#, "eHh4".repeat(bytes / 3));
    let (status, error) = post(&member, "/v3/kv/put", &put(1_800_000)).await;
    let expected = json!({"code":3,"message":"etcdserver: request is too large"});
    assert_eq!((status, error), (400, expected));
    for bytes in [2_500_000, 9_000_000] {
        let (status, error) = post(&member, "/v3/kv/put", &put(bytes)).await;
        assert_eq!((status, &error["code"]), (429, &json!(8)));
        let text = error["message"].as_str().unwrap();
        assert!(text.starts_with("grpc: received message larger than max"), "{text}");
    }
    assert_eq!(member.text("foo").await, None);
}

#[tokio::test]
async fn calls_are_counted_like_any_others() {
    let member = Member::fresh().await;
    ok(&member, "/v3/kv/put", r#"{"key":"Zm9v"}"#).await;
    let page = http::get(&member.address(), "/metrics").await;
    let line = r#"grpc_server_handled_total{grpc_code="OK",grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"} 1"#;
    assert!(page.body.contains(line));
}
