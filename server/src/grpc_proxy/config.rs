//! Flags -> what the proxy is to do, or what contradicts itself.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::args::Start;
use crate::config::{Address, KeyPair, Offer, Place, Security, Url, pair, tls_version};
use crate::remote::{Pings, RemoteConfig};
use crate::{config, srv, tls};

/// etcd's dial timeout of the proxy.
const DIAL_MAX: Duration = Duration::from_secs(5);
/// For questions of the proxy's own.
const REQUEST_MAX: Duration = Duration::from_secs(5);

/// etcd's checks of the flags, in its words (checkArgs).
pub fn check(start: &Start) -> Result<()> {
    let (prefix, ttl) = (&start.resolver_prefix, start.resolver_ttl);
    ensure!(prefix.is_empty() || ttl >= 1, "invalid resolver-ttl {ttl}");
    ensure!(!prefix.is_empty() || ttl <= 0, "invalid resolver-prefix {prefix:?}");
    let url = &start.advertise_client_url;
    ensure!(
        prefix.is_empty() || !url.is_empty(),
        "invalid advertise-client-url {url:?}"
    );
    ensure!(
        !start.auto_tls || start.self_signed_cert_validity > 0,
        "selfSignedCertValidity is invalid,it should be greater than 0"
    );
    offer(start).map(drop)
}

fn offer(start: &Start) -> Result<Offer> {
    let min = tls_version(&start.tls_min_version).context("tls-min-version is invalid")?;
    let max = tls_version(&start.tls_max_version).context("tls-max-version is invalid")?;
    let offer = Offer {
        min: min.unwrap_or(config::Version::V12),
        max: max.unwrap_or(config::Version::V13),
        suites: start.listen_cipher_suites.clone(),
    };
    let (min, max) = (&start.tls_min_version, &start.tls_max_version);
    ensure!(
        offer.min <= offer.max,
        "min version ({min}) is greater than max version ({max})"
    );
    ensure!(
        offer.min < config::Version::V13 || offer.suites.is_empty(),
        "cipher suites cannot be configured when only TLS1.3 is enabled"
    );
    Ok(offer)
}

fn file(path: &str) -> Option<PathBuf> {
    (!path.is_empty()).then(|| path.into())
}

fn key_pair(cert: &str, key: &str) -> Result<Option<KeyPair>> {
    pair("KeyFile and CertFile must both be present", file(cert), file(key))
}

/// The way to the members.
pub async fn upstream(start: &Start) -> Result<RemoteConfig> {
    let security = Security {
        dialling: key_pair(&start.cert, &start.key)?,
        authorities: file(&start.cacert),
        auto: start.insecure_skip_tls_verify,
        ..Security::default()
    };
    if let Some(shown) = &security.dialling {
        tls::check_no_name(&shown.cert)?;
    }
    if security.auto {
        tracing::warn!("--insecure-skip-tls-verify was given: whoever answers is taken for a member; for tests only");
    }
    let asked = security.dialling.is_some() || security.authorities.is_some() || security.auto;
    let pings = (!start.dial_keepalive_time.is_zero()).then_some(Pings {
        interval: start.dial_keepalive_time,
        timeout: start.dial_keepalive_timeout,
        while_idle: start.permit_without_stream,
    });
    Ok(RemoteConfig {
        endpoints: endpoints(start).await?,
        security: asked.then_some(security),
        offer: Offer::anything(),
        user: None,
        dial_max: DIAL_MAX,
        request_max: REQUEST_MAX,
        pings,
    })
}

async fn endpoints(start: &Start) -> Result<Vec<String>> {
    let asked = srv::Clients {
        domain: &start.discovery_srv,
        suffix: &start.discovery_srv_name,
        insecure: start.insecure_discovery,
        authorities: &start.cacert,
    };
    let found = asked.look_up().await?;
    if found.is_empty() {
        return Ok(start.endpoints.clone());
    }
    Ok(found.iter().map(srv::Endpoint::url).collect())
}

/// How the proxy's own ports are secured; none is plain.
pub fn listener(start: &Start) -> Result<Option<tls::Listener>> {
    let security = Security {
        own: key_pair(&start.cert_file, &start.key_file)?,
        authorities: file(&start.trusted_ca_file),
        revoked: file(&start.client_crl_file),
        skip_names: true,
        ..Security::default()
    };
    let auto = start.auto_tls && security.own.is_none() && security.authorities.is_none();
    if !auto && security.own.is_none() && security.authorities.is_none() {
        return Ok(None);
    }
    let security = Security { auto, ..security };
    let (host, _) = split(&start.listen_addr)?;
    let folder = start.data_dir.join("fixtures").join("proxy");
    let security = tls::made(&security, &folder, &[host.to_owned()], start.self_signed_cert_validity)?;
    tls::Listener::for_clients(&security, &offer(start)?).map(Some)
}

/// Where clients come in.
pub fn place(address: &str, secure: bool) -> Result<Place> {
    Ok(Place {
        address: Address::Tcp(resolve(split(address)?)?),
        plain: !secure,
        secure,
    })
}

/// Where metrics are read.
pub fn metrics_place(url: &str) -> Result<Place> {
    match Url::parse(url).with_context(|| format!("cannot parse {url:?}"))? {
        parsed @ Url::Tcp { secure, port, .. } => Ok(Place {
            address: Address::Tcp(resolve((parsed.host().unwrap_or_default(), port))?),
            plain: !secure,
            secure,
        }),
        Url::Unix { secure, path } => Ok(Place {
            address: Address::Unix(path.into()),
            plain: !secure,
            secure,
        }),
    }
}

fn split(address: &str) -> Result<(&str, u16)> {
    let (host, port) = address
        .rsplit_once(':')
        .with_context(|| format!("address {address}: missing port"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let host = if host.is_empty() { "0.0.0.0" } else { host };
    Ok((
        host,
        port.parse()
            .with_context(|| format!("address {address}: {port:?} is not a port"))?,
    ))
}

fn resolve(place: (&str, u16)) -> Result<SocketAddr> {
    let mut found: Vec<SocketAddr> = place
        .to_socket_addrs()
        .with_context(|| format!("lookup {}", place.0))?
        .collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found
        .first()
        .copied()
        .with_context(|| format!("lookup {}: no such host", place.0))
}
