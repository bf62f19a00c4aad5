//! Calls as a collector of traces sees them.

use taffrail_e2e::Member;
use taffrail_e2e::collector::{Collector, attribute};
use taffrail_e2e::requests::{get, put};
use taffrail_proto::etcdserverpb::RangeRequest;

async fn traced(collector: &Collector, sampled_per_million: u32) -> Member {
    Member::builder()
        .arg("--enable-distributed-tracing")
        .arg(format!("--distributed-tracing-address={}", collector.address()))
        .arg("--distributed-tracing-service-name=orders")
        .arg("--distributed-tracing-instance-id=m1")
        .arg(format!("--distributed-tracing-sampling-rate={sampled_per_million}"))
        .start()
        .await
}

fn part_of(traceparent: &'static str) -> tonic::Request<RangeRequest> {
    let mut request = tonic::Request::new(get("k"));
    request
        .metadata_mut()
        .insert("traceparent", traceparent.parse().unwrap());
    request
}

#[tokio::test]
async fn a_call_is_a_span_that_says_what_was_called_and_how_it_ended() {
    let collector = Collector::start().await;
    let member = traced(&collector, 1_000_000).await;
    member.put(put("k", "v")).await;
    let span = collector.span("etcdserverpb.KV/Put").await;
    for (key, value) in [
        ("rpc.system", "grpc"),
        ("rpc.service", "etcdserverpb.KV"),
        ("rpc.method", "Put"),
        ("rpc.grpc.status_code", "0"),
    ] {
        assert_eq!(attribute(&span.attributes, key).as_deref(), Some(value), "{key}");
    }
    assert_eq!(
        (span.trace_id.len(), span.span_id.len(), span.parent_span_id.len()),
        (16, 8, 0)
    );
    assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
    assert_eq!(
        attribute(&collector.resource(), "service.name").as_deref(),
        Some("orders")
    );
    assert_eq!(
        attribute(&collector.resource(), "service.instance.id").as_deref(),
        Some("m1")
    );
}

#[tokio::test]
async fn a_call_of_a_sampled_trace_is_part_of_it_and_others_are_left_out() {
    let collector = Collector::start().await;
    let member = traced(&collector, 0).await;
    member.put(put("k", "v")).await;
    member.kv().range(get("k")).await.unwrap();
    let sampled = part_of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    member.kv().range(sampled).await.unwrap();
    let span = collector.span("etcdserverpb.KV/Range").await;
    assert_eq!(span.trace_id[..2], [0x4b, 0xf9]);
    assert_eq!(
        span.parent_span_id[..],
        [0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]
    );
    assert_eq!(collector.spans().len(), 1);
}

#[tokio::test]
async fn traces_are_sent_before_a_member_ends_and_a_dead_collector_does_not_hold_it() {
    let collector = Collector::start().await;
    let mut member = traced(&collector, 1_000_000).await;
    member.range(get("k")).await;
    assert_eq!(member.terminate().await.code, Some(0));
    assert!(
        collector
            .spans()
            .iter()
            .any(|span| span.name == "etcdserverpb.KV/Range")
    );
    let nobody = Member::builder()
        .arg("--enable-distributed-tracing")
        .arg("--distributed-tracing-address=127.0.0.1:1")
        .arg("--distributed-tracing-sampling-rate=1000000");
    let mut member = nobody.start().await;
    member.range(get("k")).await;
    assert_eq!(member.terminate().await.code, Some(0));
}
