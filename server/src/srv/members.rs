//! The first members of a cluster.

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};

use anyhow::{Context, Result, anyhow, ensure};

use super::clients::service;
use super::message::Record;
use super::resolver::Resolver;
use crate::config::{SrvDomain, Url};

/// Services of the two schemes.
const SERVICES: [(&str, &str); 2] = [("https", "etcd-server-ssl"), ("http", "etcd-server")];

/// `name=url` pairs: `name` where a record leads to one of `peer_urls`, numbers for the others.
///
/// # Errors
/// If nobody is found, or not this member.
pub async fn members(domain: &SrvDomain, name: &str, peer_urls: &[String]) -> Result<String> {
    let resolver = Resolver::of_this_machine();
    let own = own_addresses(peer_urls)?;
    let (mut pairs, mut errors) = (Vec::new(), Vec::new());
    for (scheme, short) in SERVICES {
        let found = of_scheme(&resolver, domain, (scheme, short), name, &own).await;
        let error = found.as_ref().err().map(|error| format!("{error:#}"));
        tracing::info!(
            service_scheme = scheme,
            service_name = short,
            server_name = name,
            discovery_srv = domain.domain,
            found_cluster = format!("{:?}", found.as_deref().unwrap_or_default()),
            error,
            "get cluster for {short} SRV"
        );
        pairs.extend(found.unwrap_or_default());
        errors.extend(error);
    }
    ensure!(
        !pairs.is_empty(),
        "failed to resolve during SRV discovery: {}",
        errors.join(" and ")
    );
    for pair in &pairs {
        tracing::info!(node = pair, "got bootstrap from DNS for etcd-server");
    }
    let is_there = pairs.iter().any(|pair| pair.split('=').next() == Some(name));
    ensure!(is_there, "cannot find local etcd member {name:?} in SRV records");
    Ok(pairs.join(","))
}

async fn of_scheme(
    resolver: &Resolver,
    domain: &SrvDomain,
    (scheme, short): (&str, &str),
    name: &str,
    own: &BTreeMap<SocketAddr, String>,
) -> Result<Vec<String>> {
    let full = service(short, &domain.suffix, &domain.domain);
    let context = || format!("error querying DNS SRV records for _{short}");
    let records = resolver.look_up(&full).await.with_context(context)?;
    named(&records, (scheme, short), name, own, resolve).with_context(context)
}

/// A record that leads nowhere is passed over while there are others.
fn named(
    records: &[Record],
    (scheme, short): (&str, &str),
    name: &str,
    own: &BTreeMap<SocketAddr, String>,
    resolve: impl Fn(&str, u16) -> Result<SocketAddr>,
) -> Result<Vec<String>> {
    let (mut pairs, mut last, mut strangers) = (Vec::new(), None, 0);
    for Record { target, port, .. } in records {
        let url = format!("{scheme}://{target}:{port}");
        match resolve(target, *port).map(|address| own.get(&address)) {
            Err(error) => last = Some(error),
            Ok(Some(known)) if !known.starts_with(&format!("{scheme}://")) => {
                last = Some(anyhow!(
                    "bootstrap at {url} from DNS for {short} has scheme mismatch with expected peer {known}"
                ));
            }
            Ok(Some(_)) => pairs.push(format!("{name}={url}")),
            Ok(None) => {
                pairs.push(format!("{strangers}={url}"));
                strangers += 1;
            }
        }
    }
    match last {
        Some(error) if pairs.is_empty() => Err(error),
        _ => Ok(pairs),
    }
}

fn own_addresses(peer_urls: &[String]) -> Result<BTreeMap<SocketAddr, String>> {
    let address = |url: &String| match Url::parse(url)? {
        parsed @ Url::Tcp { port, .. } => Ok((resolve(parsed.host().unwrap_or_default(), port)?, url.clone())),
        Url::Unix { .. } => Err(anyhow!("{url} has no address that a record could lead to")),
    };
    peer_urls.iter().map(address).collect()
}

/// One address of a host, IPv4 if it has one, as Go takes it.
fn resolve(host: &str, port: u16) -> Result<SocketAddr> {
    let found = (host, port)
        .to_socket_addrs()
        .with_context(|| format!("lookup {host}"))?;
    let mut found: Vec<SocketAddr> = found.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found
        .first()
        .copied()
        .with_context(|| format!("lookup {host}: no such host"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: (&str, &str) = ("http", "etcd-server");

    fn record(target: &str) -> Record {
        Record {
            priority: 0,
            weight: 0,
            port: 2380,
            target: target.to_owned(),
        }
    }

    fn hosts(host: &str, port: u16) -> Result<SocketAddr> {
        match host.strip_prefix('m') {
            Some(number) => Ok(([10, 0, 0, number.parse()?], port).into()),
            None => Err(anyhow!("lookup {host}: no such host")),
        }
    }

    fn own(scheme: &str) -> BTreeMap<SocketAddr, String> {
        BTreeMap::from([(([10, 0, 0, 2], 2380).into(), format!("{scheme}://other-name:2380"))])
    }

    #[test]
    fn the_own_record_is_the_one_that_leads_here() {
        let records = ["m1", "m2", "nowhere", "m3"].map(record);
        let pairs = named(&records, PLAIN, "me", &own("http"), hosts).expect("found");
        assert_eq!(pairs, ["0=http://m1:2380", "me=http://m2:2380", "1=http://m3:2380"]);
    }

    #[test]
    fn a_record_of_the_wrong_scheme_is_not_the_own_one() {
        let error = named(&[record("m2")], PLAIN, "me", &own("https"), hosts).expect_err("a mismatch");
        let expected = "bootstrap at http://m2:2380 from DNS for etcd-server has scheme mismatch with expected peer \
                        https://other-name:2380";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn nowhere_is_no_cluster() {
        assert!(named(&[record("nowhere")], PLAIN, "me", &own("http"), hosts).is_err());
    }
}
