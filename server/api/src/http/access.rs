//! Who may come in over plain HTTP: by the name it was asked for, and by the page it was asked from (etcd
//! embed/serve.go, accessController).

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::{Api, Encrypted};

/// What plain HTTP may ask for.
#[derive(Debug, Clone, Default)]
pub struct HttpConfig {
    /// The API in JSON.
    pub gateway: bool,
    /// Profiles of the process.
    pub profiles: bool,
    /// Pages that a browser may call from.
    pub origins: Allowed,
    /// Names that a request without TLS may be addressed to.
    pub hosts: Allowed,
}

/// Names that are let in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Allowed {
    #[default]
    Everyone,
    These(Vec<String>),
}

impl Allowed {
    /// A list in which a star, or nothing at all, stands for everyone.
    pub fn new(names: Vec<String>) -> Self {
        if names.is_empty() || names.iter().any(|name| name == "*") {
            Allowed::Everyone
        } else {
            Allowed::These(names)
        }
    }

    fn has(&self, name: &str) -> bool {
        match self {
            Allowed::Everyone => true,
            Allowed::These(names) => names.iter().any(|each| each == name),
        }
    }
}

/// Goes before every route.
pub(super) async fn control(State(api): State<Api>, request: Request, next: Next) -> Response {
    let http = &api.0.config.http;
    let encrypted = request.extensions().get::<Encrypted>().is_some();
    let host = host(&request);
    if !encrypted && !http.hosts.has(&host) {
        tracing::warn!(host, "rejecting HTTP request to prevent DNS rebinding attacks");
        return super::plain(StatusCode::MISDIRECTED_REQUEST, misdirected(&host));
    }
    let origin = allowed_origin(&http.origins, request.headers());
    let mut response = if request.method() == Method::OPTIONS {
        StatusCode::OK.into_response()
    } else {
        next.run(request).await
    };
    if let Some(origin) = origin {
        allow(response.headers_mut(), origin);
    }
    response
}

/// The name without the port.
fn host(request: &Request) -> String {
    let named = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = named.or_else(|| request.uri().authority().map(|authority| authority.as_str()));
    let host = host.unwrap_or_default();
    match host.rsplit_once(':') {
        Some((name, _)) if name.starts_with('[') && name.ends_with(']') => name[1..name.len() - 1].to_owned(),
        Some((name, _)) if !name.contains(':') => name.to_owned(),
        _ => host.to_owned(),
    }
}

fn allowed_origin(origins: &Allowed, headers: &HeaderMap) -> Option<HeaderValue> {
    if *origins == Allowed::Everyone {
        return Some(HeaderValue::from_static("*"));
    }
    let origin = headers.get(header::ORIGIN)?;
    origins.has(origin.to_str().ok()?).then(|| origin.clone())
}

fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    let mut set = |name: HeaderName, value| drop(headers.insert(name, value));
    set(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("POST, GET, OPTIONS, PUT, DELETE"),
    );
    set(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    set(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("accept, content-type, authorization"),
    );
}

/// etcd's text.
fn misdirected(host: &str) -> String {
    format!(
        "\netcd received your request, but the Host header was unrecognized.\n\n\
         To fix this, choose one of the following options:\n\
         - Enable TLS, then any HTTPS request will be allowed.\n\
         - Add the hostname you want to use to the whitelist in settings.\n  \
         - e.g. etcd --host-whitelist {host:?}\n\n\
         This requirement has been added to help prevent \"DNS Rebinding\" attacks (CVE-2018-5702).\n\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    #[test]
    fn a_host_is_told_without_its_port() {
        for (given, name) in [
            ("localhost:2379", "localhost"),
            ("localhost", "localhost"),
            ("[::1]:2379", "::1"),
            ("127.0.0.1:1", "127.0.0.1"),
            ("", ""),
        ] {
            let request = Request::builder().header("host", given).body(Body::empty());
            assert_eq!(host(&request.expect("valid")), name);
        }
    }

    #[test]
    fn a_star_or_nothing_lets_everyone_in() {
        assert_eq!(Allowed::new(Vec::new()), Allowed::Everyone);
        assert_eq!(Allowed::new(vec!["a".to_owned(), "*".to_owned()]), Allowed::Everyone);
        let some = Allowed::new(vec!["a".to_owned()]);
        assert!(some.has("a") && !some.has("b"));
    }
}
