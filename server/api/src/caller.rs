//! Who calls, and who may call what: decided at the door, by method, metadata and certificate (etcd
//! v3rpc/interceptor.go, auth/store.go).

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::http::HeaderMap;
use http_body::{Body as HttpBody, Frame};
use taffrail_member::{AuthError, Caller, Credentials, InvalidToken};
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::{Request, Status};

use crate::metrics::grpc::Method;
use crate::status::{self, INVALID_AUTH_TOKEN, NO_LEADER, NOT_FOR_LEARNERS, Refusal};
use crate::{Api, ClientCertificate};

/// Asks for an answer only from a member that has a leader (etcd rpctypes/metadatafields.go).
const HAS_LEADER: &str = "hasleader";

/// A learner answers these. Of ranges only those that are serializable, which the method itself looks at.
const FOR_LEARNERS: [&str; 3] = [
    "/etcdserverpb.Maintenance/Status",
    "/etcdserverpb.Maintenance/Snapshot",
    "/etcdserverpb.KV/Range",
];

/// Where clients put their tokens, the first that is there counts (etcd rpctypes/metadatafields.go).
const TOKENS: [&str; 2] = ["token", "authorization"];
/// Some clients put this before a token.
const BEARER: &str = "Bearer ";

impl Api {
    /// What a request says of who sent it; nothing is looked at while authentication is off.
    pub(crate) fn credentials<T>(&self, request: &Request<T>) -> Credentials {
        if !self.member().auth_is_enabled() {
            return Credentials::default();
        }
        stream_credentials(request)
    }

    pub(crate) async fn caller(&self, credentials: &Credentials) -> Result<Caller, Status> {
        let identified = self.member().identify(credentials).await;
        identified.map_err(|InvalidToken| INVALID_AUTH_TOKEN.into())
    }

    /// Anybody who said who they are.
    pub(crate) async fn demand_user(&self, credentials: &Credentials) -> Result<Caller, Status> {
        self.demand(credentials, |caller| self.member().permit_user(caller))
            .await
    }

    /// Who holds the root role.
    pub(crate) async fn demand_admin(&self, credentials: &Credentials) -> Result<Caller, Status> {
        self.demand(credentials, |caller| self.member().permit_admin(caller))
            .await
    }

    async fn demand(
        &self,
        credentials: &Credentials,
        permit: impl FnOnce(&Caller) -> Result<(), AuthError>,
    ) -> Result<Caller, Status> {
        let caller = self.caller(credentials).await?;
        permit(&caller).map_err(|error| status::auth(&error))?;
        Ok(caller)
    }

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

/// What counts for all that comes by a stream: authentication may be switched on while it is open.
pub(crate) fn stream_credentials<T>(request: &Request<T>) -> Credentials {
    let certificate = request.extensions().get::<ClientCertificate>();
    Credentials {
        token: token(request.metadata()),
        common_name: certificate.map(|certificate| certificate.common_name.clone()),
    }
}

fn token(metadata: &MetadataMap) -> Option<String> {
    let value = TOKENS.iter().find_map(|name| metadata.get(*name))?;
    // One that is not text is no token, but it was given.
    let text = value.to_str().unwrap_or_default();
    Some(text.strip_prefix(BEARER).unwrap_or(text).to_owned())
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
