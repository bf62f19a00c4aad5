//! Endpoints as etcd's clients write them -> URLs that can be dialled.

use anyhow::{Context, Result, ensure};

use crate::config::Url;

/// An endpoint may be a URL, `host:port`, or a socket in the file system as `unix:path`. One that does not say
/// whether it is `secure` is what the other things said about TLS make it; `http://` is plain whatever they say.
pub fn url(endpoint: &str, secure: bool) -> Result<String> {
    let endpoint = endpoint.trim();
    ensure!(!endpoint.is_empty(), "an endpoint must not be empty");
    let url = match endpoint.split_once(':') {
        Some(("unix", path)) => format!("{}://{}", if secure { "unixs" } else { "unix" }, bare(path)),
        Some(("unixs", path)) => format!("unixs://{}", bare(path)),
        _ if endpoint.contains("://") => endpoint.to_owned(),
        _ => format!("{}://{endpoint}", if secure { "https" } else { "http" }),
    };
    Url::parse(&url).with_context(|| format!("endpoint {endpoint:?}"))?;
    Ok(url)
}

fn bare(path: &str) -> &str {
    path.strip_prefix("//").unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_taken_from_the_rest() {
        for (endpoint, secure, expected) in [
            ("127.0.0.1:2379", false, "http://127.0.0.1:2379"),
            ("127.0.0.1:2379", true, "https://127.0.0.1:2379"),
            ("http://a:1", true, "http://a:1"),
            ("https://a:1", false, "https://a:1"),
            ("unix:///run/e.sock", false, "unix:///run/e.sock"),
            ("unix:e.sock", true, "unixs://e.sock"),
        ] {
            assert_eq!(url(endpoint, secure).expect(endpoint), expected);
        }
    }

    #[test]
    fn what_cannot_be_dialled_is_no_endpoint() {
        for endpoint in ["", " ", "a", "ftp://a:1", "a:port"] {
            assert!(url(endpoint, false).is_err(), "{endpoint}");
        }
    }
}
