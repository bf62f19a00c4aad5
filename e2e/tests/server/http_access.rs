//! Who may come in over plain HTTP.

use taffrail_e2e::http::{self, request_with};
use taffrail_e2e::{Exit, Member};

const RANGE: &str = r#"{"key":"Zm9v"}"#;

#[tokio::test]
async fn without_the_gateway_its_paths_are_not_there() {
    let member = Member::builder().arg("--enable-grpc-gateway=false").start().await;
    for path in ["/v3/kv/range", "/v3beta/kv/range"] {
        let answer = http::post(&member.address(), path, RANGE).await;
        assert_eq!((answer.status, answer.body.as_str()), (404, "404 page not found\n"));
    }
    assert_eq!(http::get(&member.address(), "/health").await.status, 200);
}

#[tokio::test]
async fn pages_of_any_origin_may_call() {
    let member = Member::fresh().await;
    for (method, path) in [
        ("POST", "/v3/kv/range"),
        ("OPTIONS", "/v3/kv/range"),
        ("GET", "/health"),
    ] {
        let answer = http::request(&member.address(), method, path, RANGE).await;
        assert_eq!(answer.status, 200, "{method} {path}");
        for header in [
            "access-control-allow-origin: *",
            "access-control-allow-methods: post, get, options, put, delete",
            "access-control-allow-headers: accept, content-type, authorization",
        ] {
            assert!(answer.headers.contains(header), "{}", answer.headers);
        }
    }
}

#[tokio::test]
async fn pages_of_other_origins_are_not_encouraged() {
    let member = Member::builder().arg("--cors=https://good.example:8443").start().await;
    let ask = async |origin: &str| {
        let headers = format!("Host: h\r\nOrigin: {origin}\r\n");
        request_with(&member.address(), "OPTIONS", "/v3/kv/range", &headers, "").await
    };
    let good = ask("https://good.example:8443").await;
    assert!(
        good.headers
            .contains("access-control-allow-origin: https://good.example:8443"),
        "{}",
        good.headers
    );
    let bad = ask("https://bad.example").await;
    assert_eq!(bad.status, 200);
    assert!(!bad.headers.contains("access-control"), "{}", bad.headers);
}

#[tokio::test]
async fn a_name_that_is_not_on_the_list_is_misdirected() {
    let member = Member::builder()
        .arg("--host-whitelist=good.example,127.0.0.1")
        .start()
        .await;
    let ask = async |host: &str| {
        let headers = format!("Host: {host}\r\n");
        request_with(&member.address(), "POST", "/v3/kv/range", &headers, RANGE).await
    };
    assert_eq!(ask("good.example:2379").await.status, 200);
    assert_eq!(ask(&member.address()).await.status, 200);
    let bad = ask("bad.example").await;
    assert_eq!(bad.status, 421);
    assert!(bad.body.contains("the Host header was unrecognized"), "{}", bad.body);
    assert!(
        bad.body.contains(r#"etcd --host-whitelist "bad.example""#),
        "{}",
        bad.body
    );
}

#[tokio::test]
async fn an_origin_is_a_url() {
    let Exit { code, log } = Member::builder().arg("--cors=example.com").start_in_vain().await;
    assert_ne!(code, Some(0));
    assert!(log.contains("--cors=example.com"), "{log}");
}
