//! One door for every gRPC call: finds the service by path and counts what happens.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::http::{HeaderMap, Request, Response};
use http_body::Body as HttpBody;
use taffrail_member::Member;
use taffrail_proto::etcdserverpb::auth_server::AuthServer;
use taffrail_proto::etcdserverpb::cluster_server::ClusterServer;
use taffrail_proto::etcdserverpb::kv_server::KvServer;
use taffrail_proto::etcdserverpb::lease_server::LeaseServer;
use taffrail_proto::etcdserverpb::maintenance_server::MaintenanceServer;
use taffrail_proto::etcdserverpb::watch_server::WatchServer;
use taffrail_proto::health::health_server::HealthServer;
use taffrail_proto::v3electionpb::election_server::ElectionServer;
use taffrail_proto::v3lockpb::lock_server::LockServer;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::Service;

use crate::caller::{Led, demands_leader};
use crate::metrics::grpc::{Call, Kind, Method};
use crate::status::{INVALID_CLIENT_API_VERSION, Refusal};
use crate::trace::Span;
use crate::{Api, GRPC_OVERHEAD_BYTES, Metrics, frame};

/// The client's own version, counted (etcd rpctypes/metadatafields.go).
const CLIENT_API_VERSION: &str = "client-api-version";

/// Serves every gRPC path of the client port.
#[derive(Clone)]
pub struct Grpc {
    api: Api,
    metrics: Arc<Metrics>,
    kv: KvServer<Api>,
    watch: WatchServer<Api>,
    lease: LeaseServer<Api>,
    cluster: ClusterServer<Api>,
    maintenance: MaintenanceServer<Api>,
    auth: AuthServer<Api>,
    lock: LockServer<Api>,
    election: ElectionServer<Api>,
    health: HealthServer<Api>,
}

type Work = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// A call under way. Not boxed once more: there is one for every request.
pub struct Answer {
    work: Work,
    /// What is counted when the work is done.
    call: Option<(Method, Call)>,
    /// What is told if it took long, or is traced; none for streams.
    unary: Option<Unary>,
    /// The member, if a stream is to end with its leader.
    led: Option<Member>,
}

/// A unary call under way.
struct Unary {
    api: Api,
    started: Instant,
    remote: Arc<str>,
    span: Option<Box<Span>>,
}

impl Unary {
    fn ended(self, method: Method, headers: &HeaderMap) {
        self.api.0.slow.call_ended(method, self.started, &self.remote);
        if let Some(span) = self.span {
            span.end(code_of(headers).unwrap_or(Code::Ok));
        }
    }
}

impl Future for Answer {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut response = std::task::ready!(self.work.as_mut().poll(cx))?;
        rename_oversize(response.headers_mut());
        if let Some(member) = self.led.take() {
            response = response.map(|body| Body::new(Led::new(body, member.leaderless())));
        }
        if let (Some(unary), Some((method, _))) = (self.unary.take(), &self.call) {
            unary.ended(*method, response.headers());
        }
        Poll::Ready(Ok(match self.call.take() {
            Some((method, call)) => watch_over(response, method, call),
            None => response,
        }))
    }
}

fn refused(status: Status) -> Answer {
    Answer {
        work: Box::pin(std::future::ready(Ok(status.into_http()))),
        call: None,
        unary: None,
        led: None,
    }
}

impl Grpc {
    pub fn new(api: Api) -> Self {
        let bytes_max = api.0.config.request_bytes_max + GRPC_OVERHEAD_BYTES;
        Grpc {
            metrics: Arc::clone(&api.0.metrics),
            kv: KvServer::new(api.clone()).max_decoding_message_size(bytes_max),
            watch: WatchServer::new(api.clone()).max_decoding_message_size(bytes_max),
            lease: LeaseServer::new(api.clone()).max_decoding_message_size(bytes_max),
            cluster: ClusterServer::new(api.clone()).max_decoding_message_size(bytes_max),
            maintenance: MaintenanceServer::new(api.clone()).max_decoding_message_size(bytes_max),
            auth: AuthServer::new(api.clone()).max_decoding_message_size(bytes_max),
            lock: LockServer::new(api.clone()).max_decoding_message_size(bytes_max),
            election: ElectionServer::new(api.clone()).max_decoding_message_size(bytes_max),
            health: HealthServer::new(api.clone()),
            api,
        }
    }

    fn dispatch<B>(&self, request: Request<B>) -> Work
    where
        B: HttpBody<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
    {
        let service = request.uri().path().split('/').nth(1).unwrap_or_default();
        match service {
            "etcdserverpb.KV" => self.kv.clone().call(request),
            "etcdserverpb.Watch" => self.watch.clone().call(request),
            "etcdserverpb.Lease" => self.lease.clone().call(request),
            "etcdserverpb.Cluster" => self.cluster.clone().call(request),
            "etcdserverpb.Maintenance" => self.maintenance.clone().call(request),
            "etcdserverpb.Auth" => self.auth.clone().call(request),
            "v3lockpb.Lock" => self.lock.clone().call(request),
            "v3electionpb.Election" => self.election.clone().call(request),
            "grpc.health.v1.Health" => self.health.clone().call(request),
            unknown => {
                let status = Status::unimplemented(format!("unknown service {unknown}"));
                Box::pin(async move { Ok(status.into_http()) })
            }
        }
    }
}

impl Grpc {
    /// Starts on a request of a connection from `remote`; the answer is a future.
    pub fn call<B>(&self, request: Request<B>, remote: &Arc<str>) -> Answer
    where
        B: HttpBody<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
    {
        let Some(method) = Method::find(request.uri().path()) else {
            let work = self.dispatch(request);
            return Answer {
                work,
                call: None,
                unary: None,
                led: None,
            };
        };
        let started = Instant::now();
        let call = self.metrics.grpc.start(method, started);
        if let Err(refusal) = self.admit(method, request.headers()) {
            call.finish(refusal.code);
            return refused(refusal.into());
        }
        let led = method.kind() != Kind::Unary && demands_leader(request.headers());
        let unary = (method.kind() == Kind::Unary).then(|| self.unary(method, request.headers(), started, remote));
        let work = self.dispatch(request);
        Answer {
            work,
            call: Some((method, call)),
            unary,
            led: led.then(|| self.api.member().clone()),
        }
    }

    fn unary(&self, method: Method, headers: &HeaderMap, started: Instant, remote: &Arc<str>) -> Unary {
        let tracer = self.api.0.tracer.as_ref();
        Unary {
            api: self.api.clone(),
            started,
            remote: Arc::clone(remote),
            span: tracer.and_then(|tracer| tracer.begin(method, headers, remote)),
        }
    }

    /// In etcd's order.
    fn admit(&self, method: Method, headers: &HeaderMap) -> Result<(), Refusal> {
        self.api.admit_learner(method)?;
        self.count_client(method, headers)?;
        self.api.demand_leader(headers)
    }

    fn count_client(&self, method: Method, headers: &HeaderMap) -> Result<(), Refusal> {
        let version = headers.get(CLIENT_API_VERSION).map(|value| value.as_bytes());
        let version = match version.map(std::str::from_utf8) {
            None => "unknown",
            Some(Ok(version)) => version,
            Some(Err(_)) => return Err(INVALID_CLIENT_API_VERSION),
        };
        self.metrics.grpc.count_client(method.kind(), version);
        Ok(())
    }
}

/// Ends the count of a call: a unary one here, a stream when its body ends.
fn watch_over(response: Response<Body>, method: Method, call: Call) -> Response<Body> {
    match code_of(response.headers()) {
        Some(code) => {
            call.finish(code);
            response
        }
        None if method.kind() == Kind::Unary => {
            call.sent(1);
            call.finish(Code::Ok);
            response
        }
        None => response.map(|body| Body::new(Counted { body, call: Some(call) })),
    }
}

fn code_of(headers: &HeaderMap) -> Option<Code> {
    headers
        .get("grpc-status")
        .map(|value| Code::from_bytes(value.as_bytes()))
}

/// tonic calls a message that is too large out of range; etcd's transport calls it exhausted.
fn rename_oversize(headers: &mut HeaderMap) {
    let oversized = code_of(headers) == Some(Code::OutOfRange)
        && headers
            .get("grpc-message")
            .is_some_and(|text| text.as_bytes().starts_with(b"Error"));
    if oversized {
        headers.insert("grpc-status", axum::http::HeaderValue::from_static("8"));
        let text = "grpc: received message larger than max";
        headers.insert("grpc-message", axum::http::HeaderValue::from_static(text));
    }
}

/// The body of a streaming answer, watched until it ends or its client leaves.
struct Counted {
    body: Body,
    call: Option<Call>,
}

impl HttpBody for Counted {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            self.note(frame);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

impl Counted {
    fn note(&mut self, frame: &http_body::Frame<bytes::Bytes>) {
        if let (Some(data), Some(call)) = (frame.data_ref(), &self.call) {
            call.sent(frame::count(data));
        }
        if let Some(code) = frame.trailers_ref().and_then(code_of)
            && let Some(call) = self.call.take()
        {
            call.finish(code);
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            call.finish(Code::Cancelled);
        }
    }
}
