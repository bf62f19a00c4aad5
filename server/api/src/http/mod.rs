//! The HTTP paths beside gRPC: health, version, metrics.

mod probes;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use crate::Api;
use crate::metrics::CONTENT_TYPE;

/// What the client port answers to plain HTTP.
pub fn client_routes(api: Api) -> Router {
    shared_routes()
        .route("/version", any(version))
        .fallback(not_found)
        .with_state(api)
}

/// What the metrics port answers: no version, no API.
pub fn metrics_routes(api: Api) -> Router {
    shared_routes().fallback(not_found).with_state(api)
}

fn shared_routes() -> Router<Api> {
    Router::new().route("/metrics", any(metrics)).merge(probes::routes())
}

async fn metrics(State(api): State<Api>) -> Response {
    let text = api.0.metrics.render(api.member(), &api.0.config.features);
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()
}

async fn version(State(api): State<Api>) -> Response {
    let cluster = api.member().view().cluster_version();
    let versions = serde_json::json!({
        "etcdserver": api.member().config().version,
        "etcdcluster": cluster.clone().unwrap_or_else(|| "not_decided".to_owned()),
        "storage": api.storage_version(cluster),
    });
    ([(header::CONTENT_TYPE, "application/json")], versions.to_string()).into_response()
}

async fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "404 page not found\n").into_response()
}
