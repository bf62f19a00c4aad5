//! URLs to listen on -> places.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::url::Url;
use crate::args::Settings;

/// A place in the network or the file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// An address, and which of the two languages are spoken there; maybe both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub address: Address,
    pub plain: bool,
    pub secure: bool,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => address.fmt(f),
            Address::Unix(path) => path.display().fmt(f),
        }
    }
}

/// An address that is listed twice is one place, which speaks what either listing asks for.
pub(super) fn places(settings: &Settings, name: &str) -> Result<Vec<Place>> {
    let mut places: Vec<Place> = Vec::new();
    for url in split(settings.get(name)) {
        let (found, secure) = addresses(url).with_context(|| format!("--{name}={url}"))?;
        for address in found {
            let at = places.iter().position(|place| place.address == address);
            let at = at.unwrap_or_else(|| {
                places.push(Place {
                    address,
                    plain: false,
                    secure: false,
                });
                places.len() - 1
            });
            places[at].secure |= secure;
            places[at].plain |= !secure;
        }
    }
    let both = |place: &&Place| place.plain && place.secure && matches!(place.address, Address::Unix(_));
    if let Some(place) = places.iter().find(both) {
        bail!(
            "--{name}: one socket cannot be both unix:// and unixs://: {}",
            place.address
        );
    }
    Ok(places)
}

pub(super) fn split(urls: &str) -> impl Iterator<Item = &str> {
    urls.split(',').map(str::trim).filter(|url| !url.is_empty())
}

/// A listener must be told an IP address; only `localhost` is looked up, IPv4 before IPv6 as Go does.
fn addresses(url: &str) -> Result<(Vec<Address>, bool)> {
    let parsed = Url::parse(url)?;
    let (secure, port) = match parsed {
        Url::Unix { secure, path } => return Ok((vec![Address::Unix(path.into())], secure)),
        Url::Tcp { secure, port, .. } => (secure, port),
    };
    let host = parsed.host().unwrap_or_default();
    if host == "localhost" {
        return Ok((localhost(port)?.into_iter().map(Address::Tcp).collect(), secure));
    }
    let ip = host.parse();
    let ip = ip.with_context(|| format!("expected IP in URL for binding ({url})"))?;
    Ok((vec![Address::Tcp(SocketAddr::new(ip, port))], secure))
}

fn localhost(port: u16) -> Result<Vec<SocketAddr>> {
    let found = ("localhost", port)
        .to_socket_addrs()
        .context("cannot look up localhost")?;
    let found: Vec<_> = found.collect();
    let v4: Vec<_> = found.iter().copied().filter(SocketAddr::is_ipv4).collect();
    Ok(if v4.is_empty() { found } else { v4 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let address = |url| addresses(url).expect("valid");
        let tcp = |text: &str| vec![Address::Tcp(text.parse().expect("an address"))];
        assert_eq!(address("http://127.0.0.1:2379"), (tcp("127.0.0.1:2379"), false));
        assert_eq!(address("https://[::1]:2379"), (tcp("[::1]:2379"), true));
        assert!(!address("http://localhost:2379").0.is_empty());
        assert!(addresses("http://etcd.example:1").is_err(), "names are not bound to");
    }
}
