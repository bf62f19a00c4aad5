//! What takes long is told, without what nobody may read.

use taffrail_e2e::requests::{get, op_put, put, txn, value_is};
use taffrail_e2e::{Member, http};

/// Everything is slow.
async fn impatient() -> Member {
    Member::builder()
        .arg("--warning-apply-duration=1ns")
        .arg("--warning-unary-request-duration=1ns")
        .start()
        .await
}

fn lines(member: &Member, message: &str) -> Vec<serde_json::Value> {
    let log = member.log();
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    lines.filter(|line| line["msg"] == message).collect()
}

async fn a_line(member: &Member, message: &str) -> serde_json::Value {
    taffrail_e2e::wait::until(message, async || lines(member, message).into_iter().next()).await
}

#[tokio::test]
async fn a_slow_call_is_told_with_its_sizes_and_without_its_value() {
    let member = impatient().await;
    member.put(put("key", "secret")).await;
    let line = a_line(&member, "request stats").await;
    assert_eq!(line["level"], "warn");
    assert_eq!(line["response type"], "/etcdserverpb.KV/Put");
    assert_eq!(line["request content"], r#"key:"key" value_size:6"#);
    assert_eq!(
        (&line["request count"], &line["response count"]),
        (&1.into(), &0.into())
    );
    assert!(line["request size"].as_i64() > Some(6) && line["response size"].as_i64() > Some(0));
    assert!(line["remote"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
    assert!(
        line["time spent"].is_string() && line["start time"].is_string(),
        "{line}"
    );
    assert!(!member.log().contains("secret"));
}

#[tokio::test]
async fn slow_entries_and_reads_are_counted_and_told() {
    let member = impatient().await;
    let line = a_line(&member, "apply request took too long").await;
    assert_eq!(line["expected-duration"], "1ns");
    assert!(
        line["request"].is_string() && line["response"].is_string() && line["took"].is_string(),
        "{line}"
    );
    let slow = async || {
        let page = http::get(&member.address(), "/metrics").await.body;
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix("etcd_server_slow_apply_total "));
        line.unwrap().parse::<u64>().unwrap()
    };
    let before = slow().await;
    member.put(put("k", "secret")).await;
    member.range(get("k")).await;
    member
        .txn(txn(vec![value_is("k", "secret")], vec![op_put("k", "secret")], vec![]))
        .await;
    assert_eq!(slow().await, before + 3);
    assert!(!member.log().contains("secret"));
}

#[tokio::test]
async fn a_flood_of_slow_calls_is_told_once_a_second() {
    let member = impatient().await;
    for _ in 0..200 {
        member.put(put("k", "v")).await;
    }
    let told = lines(&member, "request stats").len();
    assert!((1..50).contains(&told), "{told} lines");
}

#[tokio::test]
async fn at_level_debug_every_call_is_told() {
    let member = Member::builder().arg("--log-level=debug").start().await;
    for _ in 0..20 {
        member.range(get("k")).await;
    }
    taffrail_e2e::wait::until("twenty lines", async || {
        (lines(&member, "request stats").len() >= 20).then_some(())
    })
    .await;
}
