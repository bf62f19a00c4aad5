//! From flags to a gateway that serves.

use std::net::{IpAddr, ToSocketAddrs};

use anyhow::{Context, Result, ensure};
use tokio::net::TcpListener;

use super::pick::Target;
use super::targets::Targets;
use super::{Start, copy};
use crate::boot::told_to_stop;
use crate::{srv, telemetry};

pub(super) fn run(start: Start) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(start))
}

async fn serve(start: Start) -> Result<()> {
    tracing::info!(
        args = format!("{:?}", std::env::args().collect::<Vec<_>>()),
        "Running: "
    );
    let targets = match discovered(&start).await? {
        found if found.is_empty() => named(&start.endpoints)?,
        found => found,
    };
    ensure!(!targets.is_empty(), "no endpoints found");
    check_no_circle(&start.listen_addr, &targets)?;
    let listener = TcpListener::bind(&start.listen_addr).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", start.listen_addr))?;
    let endpoints: Vec<&str> = targets.iter().map(|target| target.address.as_str()).collect();
    tracing::info!(endpoints = format!("{endpoints:?}"), "ready to proxy client requests");
    telemetry::tell_systemd();
    let targets = Targets::new(targets, start.retry_delay);
    tokio::spawn(targets.clone().revive());
    tokio::select! {
        () = copy::serve(listener, targets) => Ok(()),
        signal = told_to_stop() => {
            tracing::info!(signal = signal?, "received signal, shutting down");
            Ok(())
        }
    }
}

async fn discovered(start: &Start) -> Result<Vec<Target>> {
    let asked = srv::Clients {
        domain: &start.discovery_srv,
        suffix: &start.discovery_srv_name,
        insecure: start.insecure_discovery,
        authorities: &start.trusted_ca_file,
    };
    let found = asked.look_up().await?;
    let target = |record: srv::Endpoint| Target {
        address: record.address,
        priority: record.priority,
        weight: record.weight,
    };
    Ok(found.into_iter().map(target).collect())
}

/// Schemes say nothing to who only copies bytes.
fn named(endpoints: &[String]) -> Result<Vec<Target>> {
    let targets = endpoints.iter().map(|endpoint| {
        let address = endpoint.split_once("://").map_or(endpoint.as_str(), |(_, rest)| rest);
        let address = address.split('/').next().unwrap_or_default().to_owned();
        split(&address).with_context(|| format!("error parsing endpoint {endpoint:?}"))?;
        Ok(Target {
            address,
            priority: 0,
            weight: 0,
        })
    });
    targets.collect()
}

/// A gateway that led to itself would fill its own table of connections.
fn check_no_circle(listen: &str, targets: &[Target]) -> Result<()> {
    let own = split(listen).with_context(|| format!("failed to validate listen address: {listen}"))?;
    let own_ips = look_up(own).with_context(|| format!("failed to resolve listen host: {}", own.0))?;
    for target in targets {
        let place = split(&target.address)?;
        let ips = look_up(place).with_context(|| format!("failed to resolve endpoint host: {}", place.0))?;
        let circle = ips.iter().find(|ip| place.1 == own.1 && own_ips.contains(ip));
        ensure!(
            circle.is_none(),
            "SRV or endpoint ({}) should not resolve to the gateway listen addr ({listen})",
            target.address
        );
    }
    Ok(())
}

fn split(address: &str) -> Result<(&str, u16)> {
    let (host, port) = address.rsplit_once(':').context("a port is missing")?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok((host, port.parse().with_context(|| format!("{port:?} is not a port"))?))
}

fn look_up(place: (&str, u16)) -> Result<Vec<IpAddr>> {
    Ok(place.to_socket_addrs()?.map(|address| address.ip()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_and_paths_are_left_out() {
        let targets = named(&["http://a:1/".into(), "b:2".into(), "https://[::1]:3".into()]).expect("valid");
        let addresses: Vec<_> = targets.iter().map(|target| target.address.as_str()).collect();
        assert_eq!(addresses, ["a:1", "b:2", "[::1]:3"]);
        assert!(named(&["a".into()]).is_err());
    }

    #[test]
    fn a_gateway_does_not_lead_to_itself() {
        let targets = named(&["127.0.0.1:23790".into()]).expect("valid");
        let error = check_no_circle("localhost:23790", &targets)
            .expect_err("a circle")
            .to_string();
        assert!(
            error.contains("should not resolve to the gateway listen addr"),
            "{error}"
        );
        assert!(check_no_circle("127.0.0.1:23791", &targets).is_ok());
    }
}
