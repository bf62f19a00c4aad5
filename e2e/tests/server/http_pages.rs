//! The pages on the client port and on the metrics port.

use taffrail_e2e::requests::put;
use taffrail_e2e::{Member, http};

#[tokio::test]
async fn a_healthy_member_says_so() {
    let member = Member::fresh().await;
    let health = http::get(&member.address(), "/health").await;
    assert_eq!(
        (health.status, health.body.as_str()),
        (200, r#"{"health":"true","reason":""}"#)
    );
    for path in [
        "/livez",
        "/readyz",
        "/livez/serializable_read",
        "/readyz/linearizable_read",
        "/readyz/data_corruption",
    ] {
        let page = http::get(&member.address(), path).await;
        assert_eq!((page.status, page.body.trim_end()), (200, "ok"), "{path}");
    }
    let verbose = http::get(&member.address(), "/readyz?verbose").await;
    assert!(verbose.body.contains("[+]serializable_read ok"), "{}", verbose.body);
}

#[tokio::test]
async fn a_full_member_is_unhealthy_but_ready() {
    let member = Member::nearly_full().await;
    member.raise_nospace().await;
    let health = http::get(&member.address(), "/health").await;
    assert_eq!(
        (health.status, health.body.trim_end()),
        (503, r#"{"health":"false","reason":"ALARM NOSPACE"}"#)
    );
    assert_eq!(
        http::get(&member.address(), "/health?exclude=NOSPACE").await.status,
        200
    );
    assert_eq!(http::get(&member.address(), "/readyz").await.status, 200);
    assert_eq!(http::get(&member.address(), "/livez").await.status, 200);
}

#[tokio::test]
async fn health_is_asked_by_get_only() {
    let member = Member::fresh().await;
    let answer = http::post(&member.address(), "/health", "").await;
    assert_eq!(answer.status, 405);
    assert!(answer.headers.contains("allow: get"), "{}", answer.headers);
}

#[tokio::test]
async fn the_version_page_names_server_and_cluster_version() {
    let member = Member::fresh().await;
    let page = http::get(&member.address(), "/version").await;
    let version: serde_json::Value = serde_json::from_str(&page.body).unwrap();
    assert_eq!(version["etcdserver"], member.status().await.version);
    assert!(
        version["etcdcluster"].is_string() && version["storage"].is_string(),
        "{}",
        page.body
    );
}

#[tokio::test]
async fn metrics_count_what_was_done() {
    let member = Member::builder().metrics().start().await;
    member.put(put("k", "v")).await;
    for address in [member.address(), member.metrics_address().unwrap()] {
        let page = http::get(&address, "/metrics").await;
        assert_eq!(page.status, 200);
        let names = [
            "etcd_server_has_leader 1",
            "etcd_server_is_leader 1",
            "etcd_mvcc_put_total 1",
            "etcd_server_proposals_committed_total",
            "etcd_disk_wal_fsync_duration_seconds_bucket",
            "etcd_mvcc_db_total_size_in_bytes",
            "process_resident_memory_bytes",
            "grpc_server_handled_total",
        ];
        for name in names {
            assert!(page.body.contains(name), "{name} is missing on {address}");
        }
    }
}

#[tokio::test]
async fn the_metrics_port_has_health_and_no_keys() {
    let member = Member::builder().metrics().start().await;
    let address = member.metrics_address().unwrap();
    assert_eq!(http::get(&address, "/health").await.status, 200);
    assert_eq!(http::get(&address, "/readyz").await.status, 200);
    assert_eq!(
        http::post(&address, "/v3/kv/range", r#"{"key":"aw=="}"#).await.status,
        404
    );
}
