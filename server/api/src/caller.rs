//! Who may call what: decided at the door, by method and metadata (etcd v3rpc/interceptor.go).

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::http::HeaderMap;
use http_body::{Body as HttpBody, Frame};
use tonic::Status;
use tonic::body::Body;

use crate::Api;
use crate::metrics::grpc::Method;
use crate::status::{NO_LEADER, NOT_FOR_LEARNERS, Refusal};

/// Asks for an answer only from a member that has a leader (etcd rpctypes/metadatafields.go).
const HAS_LEADER: &str = "hasleader";

/// A learner answers these. Of ranges only those that are serializable, which the method itself looks at.
const FOR_LEARNERS: [&str; 3] = [
    "/etcdserverpb.Maintenance/Status",
    "/etcdserverpb.Maintenance/Snapshot",
    "/etcdserverpb.KV/Range",
];

impl Api {
    pub(crate) fn admit_learner(&self, method: Method) -> Result<(), Refusal> {
        let refused = self.member().is_learner() && !is_for_learners(&method.path());
        if refused { Err(NOT_FOR_LEARNERS) } else { Ok(()) }
    }

    pub(crate) fn demand_voter(&self) -> Result<(), Refusal> {
        if self.member().is_learner() {
            Err(NOT_FOR_LEARNERS)
        } else {
            Ok(())
        }
    }

    pub(crate) fn demand_leader(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if demands_leader(headers) && self.member().leader().is_none() {
            return Err(NO_LEADER);
        }
        Ok(())
    }
}

pub(crate) fn demands_leader(headers: &HeaderMap) -> bool {
    headers.get(HAS_LEADER).is_some_and(|value| value == "true")
}

fn is_for_learners(path: &str) -> bool {
    FOR_LEARNERS.contains(&path)
}

/// A stream that ends once the leader has been gone for too long.
pub(crate) struct Led {
    /// None once it has ended.
    body: Option<Body>,
    leaderless: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Led {
    pub fn new(body: Body, leaderless: impl Future<Output = ()> + Send + 'static) -> Self {
        Led {
            body: Some(body),
            leaderless: Box::pin(leaderless),
        }
    }

    /// Lets go of the stream behind it and says why.
    fn end(&mut self) -> Frame<bytes::Bytes> {
        self.body = None;
        let mut trailers = HeaderMap::new();
        // A text without line breaks always fits into a header.
        let _ = Status::from(NO_LEADER).add_header(&mut trailers);
        Frame::trailers(trailers)
    }
}

impl HttpBody for Led {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        ready!(self.leaderless.as_mut().poll(cx));
        Poll::Ready(Some(Ok(self.end())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learners_answer_little() {
        let allowed: Vec<String> = Method::all()
            .map(Method::path)
            .filter(|path| is_for_learners(path))
            .collect();
        assert_eq!(
            allowed,
            [
                "/etcdserverpb.KV/Range",
                "/etcdserverpb.Maintenance/Status",
                "/etcdserverpb.Maintenance/Snapshot",
            ]
        );
    }

    #[test]
    fn only_the_word_true_demands_a_leader() {
        let demands = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(HAS_LEADER, axum::http::HeaderValue::from_static(value));
            demands_leader(&headers)
        };
        assert!(demands("true"));
        assert!(!demands("1"));
        assert!(!demands_leader(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn a_stream_without_leader_ends_with_etcds_status() {
        let silent = Body::new(tonic::body::Body::new(Silent));
        let mut led = Led::new(silent, std::future::ready(()));
        let frame = std::future::poll_fn(|cx| Pin::new(&mut led).poll_frame(cx)).await;
        let trailers = frame
            .expect("a frame")
            .expect("no error")
            .into_trailers()
            .expect("trailers");
        assert_eq!(trailers["grpc-status"], "14");
        assert!(led.is_end_stream());
    }

    /// Never says anything.
    struct Silent;

    impl HttpBody for Silent {
        type Data = bytes::Bytes;
        type Error = Status;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
            Poll::Pending
        }
    }
}
