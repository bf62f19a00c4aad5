//! One call as a span, with the attributes that OpenTelemetry's gRPC conventions name.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use taffrail_proto::otlp;
use tonic::Code;

use super::Tracer;
use crate::metrics::grpc::Method;

/// A traced call under way.
pub(crate) struct Span {
    tracer: Arc<Tracer>,
    span: otlp::Span,
}

impl Span {
    /// `ids` are those of the trace, of the span, and of the span it is part of.
    pub(super) fn begin(tracer: Arc<Tracer>, ids: (u128, u64, Option<u64>), method: Method, remote: &str) -> Self {
        let (trace_id, span_id, parent) = ids;
        let path = method.path();
        let name = path.trim_start_matches('/').to_owned();
        let (service, called) = name.split_once('/').unwrap_or((&name, ""));
        let mut attributes = vec![
            text("rpc.system", "grpc"),
            text("rpc.service", service),
            text("rpc.method", called),
        ];
        attributes.extend(peer(remote));
        let span = otlp::Span {
            trace_id: trace_id.to_be_bytes().to_vec().into(),
            span_id: span_id.to_be_bytes().to_vec().into(),
            parent_span_id: parent.map_or_else(Vec::new, |id| id.to_be_bytes().to_vec()).into(),
            name,
            kind: otlp::span::SpanKind::Server.into(),
            start_time_unix_nano: unix_nanos(),
            attributes,
            ..Default::default()
        };
        Span { tracer, span }
    }

    pub fn end(mut self, code: Code) {
        self.span.end_time_unix_nano = unix_nanos();
        self.span.attributes.push(number("rpc.grpc.status_code", code as i64));
        if is_servers_fault(code) {
            self.span.status = Some(otlp::Status {
                message: code.description().to_owned(),
                code: otlp::status::StatusCode::Error.into(),
            });
        }
        self.tracer.ended(self.span);
    }
}

/// For a server other codes are the client's affair (OpenTelemetry semantic conventions for gRPC).
fn is_servers_fault(code: Code) -> bool {
    use Code::{DataLoss, DeadlineExceeded, Internal, Unavailable, Unimplemented, Unknown};
    matches!(
        code,
        Unknown | DeadlineExceeded | Unimplemented | Internal | Unavailable | DataLoss
    )
}

fn peer(remote: &str) -> Vec<otlp::KeyValue> {
    let Ok(address) = remote.parse::<SocketAddr>() else {
        return Vec::new();
    };
    vec![
        text("net.sock.peer.addr", &address.ip().to_string()),
        number("net.sock.peer.port", address.port().into()),
    ]
}

pub(super) fn text(key: &str, value: &str) -> otlp::KeyValue {
    attribute(key, otlp::any_value::Value::StringValue(value.to_owned()))
}

fn number(key: &str, value: i64) -> otlp::KeyValue {
    attribute(key, otlp::any_value::Value::IntValue(value))
}

fn attribute(key: &str, value: otlp::any_value::Value) -> otlp::KeyValue {
    otlp::KeyValue {
        key: key.to_owned(),
        value: Some(otlp::AnyValue { value: Some(value) }),
    }
}

pub(super) fn unix_nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_was_wrong_is_no_error_of_the_server() {
        assert!(is_servers_fault(Code::Unavailable));
        assert!(!is_servers_fault(Code::NotFound));
        assert!(!is_servers_fault(Code::Ok));
    }

    #[test]
    fn only_an_address_is_told_as_one() {
        assert_eq!(peer("127.0.0.1:80").len(), 2);
        assert!(peer("@").is_empty());
    }
}
