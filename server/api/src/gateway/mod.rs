//! The API in JSON over plain HTTP, as grpc-gateway v2 serves it for etcd (embed/serve.go).
//!
//! Enters: HTTP requests below `/v3/`. Leaves: JSON documents, one per line where the method streams. Always holds:
//! every call goes through [`Grpc`] like any other, so whoever may not do something by gRPC may not do it here; a
//! client's certificate does not speak for it here, only its token does.

mod answers;
mod documents;
mod end;
mod error;
mod json;
mod metadata;
mod routes;
mod stream;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http_body_util::Full;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use tonic::{Code, Status};

use crate::{Api, ClientCertificate, GRPC_OVERHEAD_BYTES, Grpc, frame};
use answers::Answers;
use routes::{Route, Routes};

/// What is served below this.
pub(crate) const ROOT: &str = "/v3/";

/// A message takes more room in JSON than on the wire: base64 alone makes four letters of three bytes.
const JSON_BYTES_PER_BYTE: usize = 2;

/// etcd's sentence (embed/serve.go).
const NAME_IGNORED: &str =
    "CommonName of client sending a request against gateway will be ignored and not used as expected\n";

pub(crate) struct Gateway {
    api: Api,
    grpc: Grpc,
    routes: Routes,
    /// Whom calls come from, for the log.
    remote: Arc<str>,
    /// Of one request body, or of one document where several may come.
    document_bytes_max: usize,
}

/// The body that a call carries into [`Grpc`].
type Outgoing = tonic::body::Body;

impl Gateway {
    pub fn new(api: Api) -> Self {
        Gateway {
            grpc: Grpc::new(api.clone()),
            routes: Routes::new(),
            remote: Arc::from("gateway"),
            document_bytes_max: JSON_BYTES_PER_BYTE * (api.0.config.request_bytes_max + GRPC_OVERHEAD_BYTES),
            api,
        }
    }

    /// Answers a request for `path` below [`ROOT`].
    pub async fn answer(&self, path: &str, request: Request) -> Response {
        if self.is_misled(&request) {
            return (StatusCode::BAD_REQUEST, NAME_IGNORED).into_response();
        }
        let Some(route) = self.routes.find(path) else {
            return error::response(&Status::not_found("Not Found"));
        };
        if request.method() != Method::POST {
            return error::response(&Status::unimplemented("Method Not Allowed"));
        }
        match metadata::timeout(request.headers()) {
            Ok(None) => self.call(route, request).await,
            Ok(Some(timeout)) => {
                let answer = tokio::time::timeout(timeout, self.call(route, request)).await;
                answer.unwrap_or_else(|_| error::response(&Status::deadline_exceeded("context deadline exceeded")))
            }
            Err(status) => error::response(&status),
        }
    }

    /// A client that believes its certificate says who it is had better be told that it does not.
    fn is_misled(&self, request: &Request) -> bool {
        let certificate = request.extensions().get::<ClientCertificate>();
        let named = certificate.is_some_and(|certificate| !certificate.common_name.is_empty());
        named && self.api.auth_is_enabled()
    }

    async fn call(&self, route: &Route, request: Request) -> Response {
        if route.server_streams {
            return self.stream(route, request).await;
        }
        match self.unary(route, request).await {
            Ok(text) => success(Body::from(text)),
            Err(status) => error::response(&status),
        }
    }

    async fn unary(&self, route: &Route, request: Request) -> Result<String, Status> {
        let (head, body) = request.into_parts();
        let outgoing = self.only(route, body).await?;
        let mut answers = self.send(route, &head.headers, outgoing).await;
        let answer = answers
            .next()
            .await
            .unwrap_or_else(|| Err(Status::internal("no answer")))?;
        text(&route.response, answer)
    }

    /// A request body that is one document.
    async fn only(&self, route: &Route, body: Body) -> Result<Outgoing, Status> {
        let text = documents::whole(body, self.document_bytes_max).await?;
        let message = documents::only(&route.request, &text)?;
        Ok(Outgoing::new(Full::new(framed(&message))))
    }

    async fn send(&self, route: &Route, headers: &axum::http::HeaderMap, body: Outgoing) -> Answers {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = route.method.parse().expect("the path of a method is a valid URI");
        *request.headers_mut() = metadata::of(headers);
        match self.grpc.call(request, &self.remote).await {
            Ok(response) => Answers::of(response),
            Err(never) => match never {},
        }
    }
}

fn framed(message: &DynamicMessage) -> Bytes {
    let mut frames = BytesMut::new();
    frame::put(&mut frames, message);
    frames.freeze()
}

/// A message of an answer in JSON.
fn text(descriptor: &MessageDescriptor, message: Bytes) -> Result<String, Status> {
    let message = DynamicMessage::decode(descriptor.clone(), message);
    let message = message.map_err(|error| Status::new(Code::Internal, error.to_string()))?;
    Ok(json::write(&message))
}

fn success(body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        // grpc-gateway shows what it got of the call's metadata, and some clients look at it.
        (
            header::HeaderName::from_static("grpc-metadata-content-type"),
            "application/grpc",
        ),
    ];
    (headers, body).into_response()
}
