//! Which headers of an HTTP request become metadata of the call (grpc-gateway runtime/context.go).

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use tonic::Status;

/// Whoever wants to set metadata by its name puts this before it.
const PREFIX: &str = "grpc-metadata-";
/// How long the caller is willing to wait.
const TIMEOUT: &str = "grpc-timeout";

/// `Authorization` under its own name, and what was prefixed.
pub(super) fn of(headers: &HeaderMap) -> HeaderMap {
    let mut metadata = HeaderMap::new();
    metadata.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    for (name, value) in headers {
        if name == header::AUTHORIZATION {
            metadata.append(name, value.clone());
        }
        if let Some(name) = unprefixed(name) {
            metadata.append(name, value.clone());
        }
    }
    metadata
}

/// None for what belongs to the transport: it speaks about the HTTP request and not about the call.
fn unprefixed(name: &HeaderName) -> Option<HeaderName> {
    let name = name.as_str().strip_prefix(PREFIX)?;
    let of_transport = name.starts_with("grpc-") || matches!(name, "content-type" | "te" | "connection");
    if of_transport { None } else { name.parse().ok() }
}

/// # Errors
/// A timeout that is no number with a unit.
pub(super) fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    let Some(value) = headers.get(TIMEOUT) else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(value.as_bytes());
    let parsed = parse(&text).ok_or_else(|| Status::invalid_argument(format!("invalid grpc-timeout: {text}")))?;
    Ok(Some(parsed))
}

fn parse(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let count: u32 = text.strip_suffix(unit)?.parse().ok()?;
    let unit = match unit {
        'H' => Duration::from_secs(3600),
        'M' => Duration::from_secs(60),
        'S' => Duration::from_secs(1),
        'm' => Duration::from_millis(1),
        'u' => Duration::from_micros(1),
        'n' => Duration::from_nanos(1),
        _ => return None,
    };
    unit.checked_mul(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn the_token_and_what_is_prefixed_come_along() {
        let metadata = of(&headers(&[
            ("authorization", "token"),
            ("grpc-metadata-hasleader", "true"),
            ("grpc-metadata-grpc-encoding", "gzip"),
            ("host", "h"),
        ]));
        assert_eq!(metadata.len(), 3, "{metadata:?}");
        assert_eq!(metadata["authorization"], "token");
        assert_eq!(metadata["hasleader"], "true");
    }

    #[test]
    fn timeouts_have_a_number_and_a_unit() {
        assert_eq!(parse("100m"), Some(Duration::from_millis(100)));
        assert_eq!(parse("2H"), Some(Duration::from_secs(7200)));
        for wrong in ["", "1", "m", "1x", "-1S", "1é"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
