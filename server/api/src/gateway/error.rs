//! Errors as grpc-gateway shows them (runtime/errors.go).

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tonic::{Code, Status};

/// What a browser or proxy shows of a call that its client gave up (nginx's code).
const CLIENT_CLOSED_REQUEST: u16 = 499;

pub(super) fn response(status: &Status) -> Response {
    let mut response = headed(status, text(status));
    if status.code() == Code::Unauthenticated
        && let Ok(value) = HeaderValue::from_str(status.message())
    {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

/// The answer of a stream that never said anything else.
pub(super) fn stream_response(status: &Status) -> Response {
    headed(status, line(status))
}

/// The last line of a stream.
pub(super) fn line(status: &Status) -> String {
    format!("{{\"error\":{}}}\n", text(status))
}

fn headed(status: &Status, text: String) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (http_code(status.code()), headers, Body::from(text)).into_response()
}

/// A `google.rpc.Status`, which leaves out what is empty like any other message.
fn text(status: &Status) -> String {
    let code = status.code() as i32;
    if status.message().is_empty() {
        return format!("{{\"code\":{code}}}");
    }
    let message = serde_json::Value::from(status.message());
    format!("{{\"code\":{code},\"message\":{message}}}")
}

fn http_code(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::Cancelled => StatusCode::from_u16(CLIENT_CLOSED_REQUEST).expect("three digits"),
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_a_code_and_a_text() {
        let status = Status::invalid_argument("invalid character '\"'");
        assert_eq!(text(&status), r#"{"code":3,"message":"invalid character '\"'"}"#);
        assert_eq!(line(&Status::unknown("")), "{\"error\":{\"code\":2}}\n");
    }

    #[test]
    fn who_is_not_authenticated_is_told_how_to_be() {
        let response = response(&Status::unauthenticated("etcdserver: invalid auth token"));
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()["www-authenticate"], "etcdserver: invalid auth token");
    }
}
