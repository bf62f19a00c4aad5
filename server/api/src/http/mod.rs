//! The HTTP paths beside gRPC: health, version, metrics, profiles, and the API in JSON.

mod access;
mod probes;
mod vars;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use crate::gateway::{self, Gateway};
use crate::metrics::CONTENT_TYPE;
use crate::{Api, profile};

pub use access::{Allowed, HttpConfig};

/// The gateway's root before it had its final name; etcd still takes it.
const EARLIER_ROOT: &str = "/v3beta/";

/// What the client port answers to plain HTTP.
pub fn client_routes(api: Api) -> Router {
    let gateway = api.0.config.http.gateway.then(|| Arc::new(Gateway::new(api.clone())));
    let profiles = if api.0.config.http.profiles {
        profile::routes()
    } else {
        Router::new()
    };
    shared_routes()
        .merge(profiles)
        .route("/version", any(version))
        .route("/debug/vars", any(vars::vars))
        .fallback(move |request| elsewhere(gateway.clone(), request))
        .layer(axum::middleware::from_fn_with_state(api.clone(), access::control))
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

/// The API in JSON, if it is served.
async fn elsewhere(gateway: Option<Arc<Gateway>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let path = path.strip_prefix(gateway::ROOT).or(path.strip_prefix(EARLIER_ROOT));
    match (gateway, path) {
        (Some(gateway), Some(path)) => gateway.answer(path, request).await,
        _ => not_found().await,
    }
}

/// As Go's http.Error says it.
pub(crate) fn plain(code: StatusCode, text: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (code, headers, text).into_response()
}

async fn not_found() -> Response {
    plain(StatusCode::NOT_FOUND, "404 page not found\n".to_owned())
}
