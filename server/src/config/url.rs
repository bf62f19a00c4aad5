//! A URL as etcd takes it: scheme, and a host with its port or the path of a socket (etcd types.NewURLs).

use anyhow::{Context, Result, bail, ensure};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Url<'a> {
    Tcp { secure: bool, host: &'a str, port: u16 },
    Unix { secure: bool, path: &'a str },
}

impl<'a> Url<'a> {
    pub fn parse(url: &'a str) -> Result<Self> {
        let Some((scheme, rest)) = url.split_once("://") else {
            bail!("URL scheme must be http, https, unix, or unixs: {url}");
        };
        match scheme {
            "http" | "https" => tcp(scheme == "https", rest, url),
            "unix" | "unixs" => unix(scheme == "unixs", rest, url),
            _ => bail!("URL scheme must be http, https, unix, or unixs: {url}"),
        }
    }

    /// The host without the brackets of IPv6; nothing for a socket in the file system.
    pub fn host(&self) -> Option<&'a str> {
        match self {
            Url::Tcp { host, .. } => Some(host.trim_start_matches('[').trim_end_matches(']')),
            Url::Unix { .. } => None,
        }
    }
}

fn tcp<'a>(secure: bool, rest: &'a str, url: &str) -> Result<Url<'a>> {
    let rest = rest.trim_end_matches('/');
    ensure!(!rest.contains('/'), "URL must not contain a path: {url}");
    let (host, port) = rest
        .rsplit_once(':')
        .with_context(|| format!("URL must have a port: {url}"))?;
    ensure!(!host.is_empty(), "URL must have a host: {url}");
    let port = port.parse().with_context(|| format!("{port:?} is not a port"))?;
    Ok(Url::Tcp { secure, host, port })
}

fn unix<'a>(secure: bool, path: &'a str, url: &str) -> Result<Url<'a>> {
    ensure!(!path.is_empty(), "URL must have a path: {url}");
    Ok(Url::Unix { secure, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let parse = |url| Url::parse(url).expect("valid");
        let (host, port) = ("[::1]", 2379);
        assert_eq!(
            parse("https://[::1]:2379/"),
            Url::Tcp {
                secure: true,
                host,
                port
            }
        );
        assert_eq!(parse("https://[::1]:2379").host(), Some("::1"));
        let path = "localhost:m1";
        assert_eq!(parse("unix://localhost:m1"), Url::Unix { secure: false, path });
        let path = "/run/etcd.sock";
        assert_eq!(parse("unixs:///run/etcd.sock"), Url::Unix { secure: true, path });
    }

    #[test]
    fn what_is_no_url_is_refused() {
        let wrong = [
            "127.0.0.1:1",
            "ftp://a:1",
            "http://a",
            "http://:1",
            "https://a:99999",
            "http://a:1/path",
            "unix://",
        ];
        for url in wrong {
            assert!(Url::parse(url).is_err(), "{url}");
        }
    }
}
