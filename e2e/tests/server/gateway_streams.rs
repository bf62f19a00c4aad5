//! The API in JSON: answers that go on, and requests that do.

use serde_json::{Value, json};
use taffrail_e2e::http::Exchange;
use taffrail_e2e::requests::{grant, put};
use taffrail_e2e::{Member, http, wait};

fn parsed(line: &str) -> Value {
    assert!(line.ends_with('\n'), "a line each: {line:?}");
    serde_json::from_str(line).unwrap()
}

#[tokio::test]
async fn a_watch_goes_on_after_its_requests_have_ended() {
    let member = Member::fresh().await;
    let mut watch = Exchange::post(&member.address(), "/v3/watch").await;
    watch.say(r#"{"create_request":{"key":"Zm9v"}}"#).await;
    watch.say("").await;
    let created = parsed(&watch.hear().await);
    assert_eq!(created["result"]["created"], true);
    assert!(watch.head().to_lowercase().contains("content-type: application/json"));
    for value in ["1", "2"] {
        member.put(put("foo", value)).await;
        let heard = parsed(&watch.hear().await);
        assert_eq!(heard["result"]["events"][0]["kv"]["version"], value);
    }
}

#[tokio::test]
async fn requests_are_heard_while_the_answer_goes_on() {
    let member = Member::fresh().await;
    let mut watch = Exchange::post(&member.address(), "/v3/watch").await;
    // Documents may be cut anywhere, and several may come at once.
    watch.say("{\"create_request\":{\"key\":\"Zm9v\",").await;
    watch
        .say(r#""watch_id":"7"}} {"create_request":{"key":"YmFy","watch_id":8}}"#)
        .await;
    for id in ["7", "8"] {
        assert_eq!(parsed(&watch.hear().await)["result"]["watch_id"], id);
    }
    member.put(put("bar", "v")).await;
    assert_eq!(parsed(&watch.hear().await)["result"]["watch_id"], "8");
    watch.say(r#"{"cancel_request":{"watch_id":8}}"#).await;
    let canceled = parsed(&watch.hear().await);
    assert_eq!(
        (&canceled["result"]["watch_id"], &canceled["result"]["canceled"]),
        (&json!("8"), &json!(true))
    );
}

#[tokio::test]
async fn a_stream_ends_with_what_was_wrong() {
    let member = Member::fresh().await;
    let refused = http::post(&member.address(), "/v3/watch", r#"{"create_request":{"key":5}}"#).await;
    assert_eq!(refused.status, 400);
    assert_eq!(parsed(&refused.body)["error"]["code"], 3);
    let mut watch = Exchange::post(&member.address(), "/v3/watch").await;
    watch.say(r#"{"create_request":{"key":"Zm9v"}}"#).await;
    assert_eq!(parsed(&watch.hear().await)["result"]["created"], true);
    watch.say("nope").await;
    assert_eq!(parsed(&watch.hear().await)["error"]["code"], 3);
    assert_eq!(watch.hear().await, "");
}

#[tokio::test]
async fn a_document_without_end_is_refused() {
    let member = Member::fresh().await;
    let mut leases = Exchange::post(&member.address(), "/v3/lease/keepalive").await;
    let part = "x".repeat(1 << 20);
    leases.say("{\"ID\":\"").await;
    for _ in 0..5 {
        leases.say(&part).await;
    }
    let refused = leases.hear().await;
    assert!(leases.head().starts_with("HTTP/1.1 429"), "{}", leases.head());
    assert_eq!(parsed(&refused)["error"]["code"], 8);
}

#[tokio::test]
async fn leases_are_kept_alive_by_a_line_each() {
    let member = Member::fresh().await;
    member.grant(grant(600, 7)).await;
    let answer = http::post(
        &member.address(),
        "/v3/lease/keepalive",
        r#"{"ID":7}{"ID":"7"} {"ID":9}"#,
    )
    .await;
    let ttls: Vec<Value> = answer
        .body
        .lines()
        .map(|line| parsed(&format!("{line}\n"))["result"]["TTL"].clone())
        .collect();
    assert_eq!(ttls, [json!("600"), json!("600"), Value::Null]);
    let mut leases = Exchange::post(&member.address(), "/v3/lease/keepalive").await;
    for _ in 0..3 {
        leases.say(r#"{"ID":7}"#).await;
        assert_eq!(parsed(&leases.hear().await)["result"]["TTL"], "600");
    }
    leases.say("").await;
    assert_eq!(leases.hear().await, "");
}

#[tokio::test]
async fn a_snapshot_comes_in_lines() {
    let member = Member::fresh().await;
    let answer = http::post(&member.address(), "/v3/maintenance/snapshot", "{}").await;
    let lines: Vec<Value> = answer.body.lines().map(|line| parsed(&format!("{line}\n"))).collect();
    assert!(lines.iter().all(|line| line["result"]["blob"].is_string()));
    let last = lines.last().unwrap();
    assert_eq!(last["result"].get("remaining_bytes"), None, "nothing remains");
}

#[tokio::test]
async fn an_election_is_observed_in_lines() {
    let member = Member::fresh().await;
    member.grant(grant(600, 7)).await;
    let mut observed = Exchange::post(&member.address(), "/v3/election/observe").await;
    observed.say(r#"{"name":"ZQ=="}"#).await;
    observed.say("").await;
    let campaign = r#"{"name":"ZQ==","lease":7,"value":"dg=="}"#;
    assert_eq!(
        http::post(&member.address(), "/v3/election/campaign", campaign)
            .await
            .status,
        200
    );
    assert_eq!(parsed(&observed.hear().await)["result"]["kv"]["value"], "dg==");
}

#[tokio::test]
async fn a_caller_that_hangs_up_waits_for_nothing_any_more() {
    let member = Member::fresh().await;
    member.grant(grant(600, 1)).await;
    member.grant(grant(600, 2)).await;
    let lock = |lease| format!(r#"{{"name":"bA==","lease":"{lease}"}}"#);
    assert_eq!(
        http::post(&member.address(), "/v3/lock/lock", &lock(1)).await.status,
        200
    );
    let mut waiting = Exchange::post(&member.address(), "/v3/lock/lock").await;
    waiting.say(&lock(2)).await;
    waiting.say("").await;
    wait::until("the waiter to be in line", async || member.text("l/2").await).await;
    drop(waiting);
    wait::until("its key to go", async || {
        member.text("l/2").await.is_none().then_some(())
    })
    .await;
}
