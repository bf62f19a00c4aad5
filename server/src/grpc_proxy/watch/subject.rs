//! What makes two watchers equal.

use bytes::Bytes;
use taffrail_proto::etcdserverpb::watch_request::RequestUnion;
use taffrail_proto::etcdserverpb::{WatchCreateRequest, WatchProgressRequest, WatchRequest};
use tonic::metadata::{AsciiMetadataValue, MetadataMap};

use crate::grpc_proxy::typed::carried;

/// Who asks: watchers of different callers share nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Caller(Vec<(String, AsciiMetadataValue)>);

/// A range, seen by somebody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Subject {
    pub key: Bytes,
    pub range_end: Bytes,
    pub caller: Caller,
}

const NEEDS_LEADER: &str = "hasleader";

impl Caller {
    pub fn of(metadata: &MetadataMap) -> Self {
        let kept = carried(metadata);
        let pairs = kept.iter().filter_map(|pair| match pair {
            tonic::metadata::KeyAndValueRef::Ascii(name, value) => Some((name.to_string(), value.clone())),
            tonic::metadata::KeyAndValueRef::Binary(..) => None,
        });
        let mut pairs: Vec<_> = pairs.collect();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        Caller(pairs)
    }

    pub fn sign<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        let as_sent: tonic::codegen::http::HeaderMap = self.0.iter().filter_map(header).collect();
        *request.metadata_mut() = MetadataMap::from_headers(as_sent);
        request
    }

    /// Would rather hear nothing than wait.
    pub fn needs_leader(&self) -> bool {
        self.0
            .iter()
            .any(|(name, value)| name == NEEDS_LEADER && value == "true")
    }
}

type Header = (tonic::codegen::http::HeaderName, tonic::codegen::http::HeaderValue);

fn header((name, value): &(String, AsciiMetadataValue)) -> Option<Header> {
    Some((name.parse().ok()?, value.as_bytes().try_into().ok()?))
}

impl Subject {
    /// All that any of the watchers may want.
    pub fn create(&self, start_revision: i64) -> WatchRequest {
        asked(RequestUnion::CreateRequest(WatchCreateRequest {
            key: self.key.clone(),
            range_end: self.range_end.clone(),
            start_revision,
            progress_notify: true,
            prev_kv: true,
            ..WatchCreateRequest::default()
        }))
    }
}

pub fn progress() -> WatchRequest {
    asked(RequestUnion::ProgressRequest(WatchProgressRequest {}))
}

fn asked(request: RequestUnion) -> WatchRequest {
    WatchRequest {
        request_union: Some(request),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_token_is_the_same_caller() {
        let caller = |token: &str, other: &str| {
            let mut metadata = MetadataMap::new();
            metadata.insert("token", token.parse().expect("text"));
            metadata.insert("user-agent", other.parse().expect("text"));
            Caller::of(&metadata)
        };
        assert_eq!(caller("a", "x"), caller("a", "y"));
        assert_ne!(caller("a", "x"), caller("b", "x"));
        assert_ne!(caller("a", "x"), Caller::default());
        let signed = caller("a", "x").sign(());
        assert_eq!(
            signed.metadata().get("token").map(|token| token.as_bytes()),
            Some(&b"a"[..])
        );
        assert!(signed.metadata().get("user-agent").is_none());
    }
}
