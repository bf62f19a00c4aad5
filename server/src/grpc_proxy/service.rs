//! Which part of the proxy answers what.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::Router;
use axum::http::{Request, Response, header};
use futures::future::BoxFuture;
use http_body_util::Either;
use hyper::body::Incoming;
use taffrail_proto::etcdserverpb::watch_server::WatchServer;
use tonic::body::Body;
use tower::ServiceExt;

use super::cluster::{self, Advertised};
use super::counts::Counts;
use super::keys::Namespace;
use super::watch::WatchProxy;
use super::{relay, spaced};
use crate::remote::Remote;

const WATCH: &str = "/etcdserverpb.Watch/Watch";
const MEMBER_LIST: &str = "/etcdserverpb.Cluster/MemberList";

#[derive(Clone)]
pub struct Service {
    pub remote: Arc<Remote>,
    pub watch: WatchServer<WatchProxy>,
    pub space: Arc<Namespace>,
    pub advertised: Arc<Advertised>,
    pub counts: Arc<Counts>,
    pub pages: Router,
    /// Whether gRPC is answered here.
    pub grpc: bool,
}

impl Service {
    /// The same with pages alone.
    pub fn without_grpc(&self) -> Self {
        Service {
            grpc: false,
            ..self.clone()
        }
    }

    async fn answer(self, request: Request<Body>) -> Response<Body> {
        self.counts.requests.fetch_add(1, Relaxed);
        match request.uri().path() {
            WATCH => {
                let Ok(answer) = self.watch.oneshot(request).await;
                answer
            }
            MEMBER_LIST if !self.advertised.url.is_empty() => {
                cluster::list(self.advertised, self.remote, request).await
            }
            _ if self.space.is_everything() => relay::relay(self.remote, request).await,
            _ => spaced::answer(self.space, self.remote, request).await,
        }
    }
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<Either<Body, axum::body::Body>>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            if this.grpc && is_grpc(&request) {
                return Ok(this.answer(request.map(Body::new)).await.map(Either::Left));
            }
            Ok(this.pages.oneshot(request).await?.map(Either::Right))
        })
    }
}

fn is_grpc(request: &Request<Incoming>) -> bool {
    let content = request.headers().get(header::CONTENT_TYPE);
    content.is_some_and(|content| content.as_bytes().starts_with(b"application/grpc"))
}
