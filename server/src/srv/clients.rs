//! Endpoints for clients.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::net::TcpStream;

use super::message::Record;
use super::resolver::Resolver;

const DIAL_MAX: Duration = Duration::from_secs(5);

/// Which endpoints are asked for.
pub struct Clients<'a> {
    pub domain: &'a str,
    pub suffix: &'a str,
    /// Plain endpoints and such as nobody answers at are taken, too.
    pub insecure: bool,
    /// Authorities that must be readable; who dials verifies by them.
    pub authorities: &'a str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub secure: bool,
    /// Host and port.
    pub address: String,
    pub priority: u16,
    pub weight: u16,
}

impl Endpoint {
    fn of(record: &Record, secure: bool) -> Self {
        Endpoint {
            secure,
            address: format!("{}:{}", record.target, record.port),
            priority: record.priority,
            weight: record.weight,
        }
    }

    pub fn url(&self) -> String {
        format!("{}://{}", if self.secure { "https" } else { "http" }, self.address)
    }
}

impl Clients<'_> {
    /// None without a domain, or if none is good enough.
    ///
    /// # Errors
    /// If neither kind of record is there.
    pub async fn look_up(&self) -> Result<Vec<Endpoint>> {
        if self.domain.is_empty() {
            return Ok(Vec::new());
        }
        let resolver = Resolver::of_this_machine();
        let (secure, plain) = (self.service("etcd-client-ssl"), self.service("etcd-client"));
        let found = match (resolver.look_up(&secure).await, resolver.look_up(&plain).await) {
            (Err(secure), Err(plain)) => bail!("dns lookup errors: {secure} and {plain}"),
            (secure, plain) => [(secure, true), (plain, false)],
        };
        let all: Vec<Endpoint> = found
            .iter()
            .flat_map(|(records, secure)| records.iter().flatten().map(|record| Endpoint::of(record, *secure)))
            .collect();
        tracing::info!(
            srv_server = self.domain,
            endpoints = shown(&all),
            "discovered cluster from SRV"
        );
        if self.insecure {
            return Ok(all);
        }
        self.good_ones(all).await
    }

    fn service(&self, name: &str) -> String {
        service(name, self.suffix, self.domain)
    }

    /// Those that promise TLS and take a connection.
    async fn good_ones(&self, all: Vec<Endpoint>) -> Result<Vec<Endpoint>> {
        if !self.authorities.is_empty() {
            std::fs::metadata(self.authorities)?;
        }
        let mut good = Vec::new();
        for endpoint in all {
            match check(&endpoint).await {
                Ok(()) => good.push(endpoint),
                Err(why) => tracing::warn!(
                    srv_server = self.domain,
                    endpoint = endpoint.url(),
                    why,
                    "failed to validate discovered endpoints"
                ),
            }
        }
        let endpoints = shown(&good);
        tracing::info!(
            srv_server = self.domain,
            endpoints,
            "using validated discovered SRV endpoints"
        );
        Ok(good)
    }
}

/// `_service-suffix._tcp.domain`.
pub(super) fn service(name: &str, suffix: &str, domain: &str) -> String {
    let dash = if suffix.is_empty() { "" } else { "-" };
    format!("_{name}{dash}{suffix}._tcp.{domain}")
}

async fn check(endpoint: &Endpoint) -> Result<(), String> {
    if !endpoint.secure {
        return Err(format!("{:?} is insecure", endpoint.url()));
    }
    match tokio::time::timeout(DIAL_MAX, TcpStream::connect(&endpoint.address)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no connection in time".to_owned()),
    }
}

fn shown(endpoints: &[Endpoint]) -> String {
    format!("{:?}", endpoints.iter().map(Endpoint::url).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_stands_behind_the_service() {
        assert_eq!(service("etcd-client", "", "a.b"), "_etcd-client._tcp.a.b");
        assert_eq!(
            service("etcd-client-ssl", "east", "a.b"),
            "_etcd-client-ssl-east._tcp.a.b"
        );
    }

    #[tokio::test]
    async fn only_who_promises_tls_and_answers_is_good() {
        let record = |port| Record {
            priority: 0,
            weight: 0,
            port,
            target: "127.0.0.1".to_owned(),
        };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        assert_eq!(check(&Endpoint::of(&record(port), true)).await, Ok(()));
        assert!(check(&Endpoint::of(&record(port), false)).await.is_err());
        drop(listener);
        assert!(check(&Endpoint::of(&record(port), true)).await.is_err());
    }
}
