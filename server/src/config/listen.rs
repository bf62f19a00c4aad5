//! Where to listen, and what to tell others about it.

use std::net::{SocketAddr, ToSocketAddrs};

use anyhow::{Context, Result, bail, ensure};

use crate::args::Settings;

#[derive(Debug, Clone, Default)]
pub struct Listen {
    pub client: Vec<SocketAddr>,
    pub peer: Vec<SocketAddr>,
    /// Where HTTP has ports of its own; then the client addresses speak gRPC alone.
    pub client_http: Vec<SocketAddr>,
    pub metrics: Vec<SocketAddr>,
}

impl Listen {
    pub fn new(settings: &Settings) -> Result<Self> {
        Ok(Listen {
            client: addresses(settings, "listen-client-urls")?,
            peer: addresses(settings, "listen-peer-urls")?,
            client_http: addresses(settings, "listen-client-http-urls")?,
            metrics: addresses(settings, "listen-metrics-urls")?,
        })
    }
}

/// URLs that others are told, checked for their form only.
pub fn advertised(settings: &Settings, name: &str) -> Result<Vec<String>> {
    let urls: Vec<String> = split(settings.get(name)).map(str::to_owned).collect();
    ensure!(!urls.is_empty(), "--{name} must not be empty");
    for url in &urls {
        host_and_port(url).with_context(|| format!("--{name}={url}"))?;
    }
    Ok(urls)
}

fn addresses(settings: &Settings, name: &str) -> Result<Vec<SocketAddr>> {
    let mut addresses = Vec::new();
    for url in split(settings.get(name)) {
        addresses.extend(address(url).with_context(|| format!("--{name}={url}"))?);
    }
    addresses.dedup();
    Ok(addresses)
}

fn split(urls: &str) -> impl Iterator<Item = &str> {
    urls.split(',').map(str::trim).filter(|url| !url.is_empty())
}

/// A listener must be told an IP address; only `localhost` is looked up, IPv4 before IPv6 as Go does.
fn address(url: &str) -> Result<Vec<SocketAddr>> {
    let (host, port) = host_and_port(url)?;
    if host == "localhost" {
        let found: Vec<_> = (host, port)
            .to_socket_addrs()
            .context("cannot look up localhost")?
            .collect();
        let v4: Vec<_> = found.iter().copied().filter(SocketAddr::is_ipv4).collect();
        return Ok(if v4.is_empty() { found } else { v4 });
    }
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse();
    let ip = ip.with_context(|| format!("expected IP in URL for binding ({url})"))?;
    Ok(vec![SocketAddr::new(ip, port)])
}

pub(super) fn host_and_port(url: &str) -> Result<(&str, u16)> {
    let Some((scheme, rest)) = url.split_once("://") else {
        bail!("URL scheme must be http, https, unix, or unixs: {url}");
    };
    match scheme {
        "http" => {}
        "https" => bail!("this version does not speak TLS: use http://"),
        "unix" | "unixs" => bail!("this version does not listen on unix sockets"),
        _ => bail!("URL scheme must be http, https, unix, or unixs: {url}"),
    }
    ensure!(
        !rest.trim_end_matches('/').contains('/'),
        "URL must not contain a path: {url}"
    );
    let rest = rest.trim_end_matches('/');
    let (host, port) = rest
        .rsplit_once(':')
        .with_context(|| format!("URL must have a port: {url}"))?;
    ensure!(!host.is_empty(), "URL must have a host: {url}");
    Ok((host, port.parse().with_context(|| format!("{port:?} is not a port"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        assert_eq!(
            address("http://127.0.0.1:2379").expect("valid"),
            ["127.0.0.1:2379".parse().expect("valid")]
        );
        assert_eq!(
            address("http://[::1]:2379").expect("valid"),
            ["[::1]:2379".parse().expect("valid")]
        );
        assert!(!address("http://localhost:2379").expect("valid").is_empty());
    }

    #[test]
    fn what_cannot_be_listened_on_is_refused() {
        for url in [
            "127.0.0.1:1",
            "https://127.0.0.1:1",
            "http://etcd.example:1",
            "http://127.0.0.1",
            "http://:1",
            "http://127.0.0.1:99999",
            "http://127.0.0.1:1/path",
            "unix://a:1",
        ] {
            assert!(address(url).is_err(), "{url}");
        }
    }
}
