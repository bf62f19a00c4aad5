//! A call that goes through as bytes: whatever service, whatever method, streams both ways.

use std::sync::Arc;

use axum::http::{Request, Response};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::ServiceExt;

use crate::remote::Remote;

/// Hands the call to the member whose turn it is. A call is made once: who asked knows whether it may be repeated.
pub async fn relay(remote: Arc<Remote>, request: Request<Body>) -> Response<Body> {
    let line = remote.line();
    let answer = match line.channel.clone().oneshot(request).await {
        Ok(answer) => answer,
        Err(error) => Status::from_error(Box::new(error)).into_http(),
    };
    if is_unavailable(&answer) {
        remote.move_on(&line);
    }
    answer
}

/// Refused before anything was said: such an answer has its status at its head.
fn is_unavailable(answer: &Response<Body>) -> bool {
    let status = answer.headers().get(Status::GRPC_STATUS);
    status.is_some_and(|status| Code::from_bytes(status.as_bytes()) == Code::Unavailable)
}
