//! What a browser sees: metrics of a member, metrics of the proxy, and health.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use taffrail_proto::etcdserverpb::RangeRequest;
use taffrail_proto::etcdserverpb::kv_client::KvClient;
use tonic::Code;

use super::counts::Counts;
use super::watch::Hub;
use crate::remote::Remote;

/// What the pages are made of.
pub struct Pages {
    pub remote: Arc<Remote>,
    pub counts: Arc<Counts>,
    pub hub: Arc<Hub>,
}

const METRICS: &str = "text/plain; version=0.0.4";

pub fn routes(pages: Pages) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/health", get(health))
        .route("/proxy/metrics", get(proxy_metrics))
        .route("/proxy/health", get(health))
        .with_state(Arc::new(pages))
}

async fn proxy_metrics(State(pages): State<Arc<Pages>>) -> Response {
    pages.counts.watchers_coalescing.store(pages.hub.coalesced(), Relaxed);
    ([(header::CONTENT_TYPE, METRICS)], pages.counts.page()).into_response()
}

/// Healthy is who gets an answer; that the answer is a refusal does not matter.
async fn health(State(pages): State<Arc<Pages>>) -> Response {
    let call = |signed| async move {
        let request = RangeRequest {
            key: "a".into(),
            ..RangeRequest::default()
        };
        KvClient::new(signed).range(request).await
    };
    let (status, health, reason) = match pages.remote.ask(call).await {
        Err(status) if !is_refusal(&status) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "false",
            format!("GET ERROR:{}", status.message()),
        ),
        _ => (StatusCode::OK, "true", String::new()),
    };
    (
        status,
        serde_json::json!({ "health": health, "reason": reason }).to_string(),
    )
        .into_response()
}

fn is_refusal(status: &tonic::Status) -> bool {
    matches!(status.code(), Code::PermissionDenied | Code::Unauthenticated)
        || status.message() == "etcdserver: user name is empty"
}

async fn metrics(State(pages): State<Arc<Pages>>) -> Response {
    match fetch(&pages.remote).await {
        Ok(page) => ([(header::CONTENT_TYPE, METRICS)], page).into_response(),
        Err(error) => {
            tracing::warn!(%error, "cannot get the metrics of a member");
            (StatusCode::INTERNAL_SERVER_ERROR, "Internal server error\n").into_response()
        }
    }
}

/// The page of the member whose turn it is. Over TLS members speak HTTP/2 for sure, in plain text HTTP/1.
async fn fetch(remote: &Remote) -> io::Result<Bytes> {
    let url = remote.url().to_owned();
    let io = TokioIo::new(remote.dial(&url).await?);
    let request = Request::get(format!("{url}/metrics")).header(header::HOST, "etcd");
    let request = request.body(Empty::<Bytes>::new()).map_err(io::Error::other)?;
    let answer = if url.starts_with("https") || url.starts_with("unixs") {
        let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
            .await
            .map_err(io::Error::other)?;
        tokio::spawn(connection);
        sender.send_request(request).await
    } else {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io)
            .await
            .map_err(io::Error::other)?;
        tokio::spawn(connection);
        sender.send_request(request).await
    };
    let body = Body::new(answer.map_err(io::Error::other)?.into_body());
    Ok(body.collect().await.map_err(io::Error::other)?.to_bytes())
}
