//! The handshake of who comes in.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustls::ServerConfig;
use rustls::server::Acceptor;
use taffrail_api::ClientCertificate;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::live::Live;
use super::reject::{Quota, Rejected};
use super::server_config::{files_of, server_config};
use super::{certificate, hosts};
use crate::config::{Offer, Security};

/// etcd's tlsHandshakeTimeout.
pub const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// Shakes hands at the ports of one kind.
pub struct Listener {
    config: Arc<Live<ServerConfig>>,
    endpoint: &'static str,
    /// A certificate must fit to the address it comes from.
    check_hosts: bool,
    /// Certificates say who a client is.
    cert_auth: bool,
    quota: Quota,
}

/// A stream of somebody who was let in.
pub struct Entered<IO> {
    pub stream: TlsStream<IO>,
    /// Only where client certificates are demanded by name.
    pub certificate: Option<ClientCertificate>,
}

impl Listener {
    pub fn for_clients(security: &Security, offer: &Offer) -> Result<Self> {
        let listener = Self::new(security, offer, "client", &["h2", "http/1.1"]);
        listener.context("cannot serve clients with TLS")
    }

    pub fn for_peers(security: &Security, offer: &Offer) -> Result<Self> {
        // Nobody else is to be verified where members make their own certificates.
        let mut security = security.clone();
        if security.auto {
            security.authorities = None;
            security.cert_auth = false;
        }
        let listener = Self::new(&security, offer, "peer", &["h2"]);
        listener.context("cannot serve peers with TLS")
    }

    fn new(security: &Security, offer: &Offer, endpoint: &'static str, protocols: &'static [&str]) -> Result<Self> {
        let (made_of, offer) = (security.clone(), offer.clone());
        let config = Live::new(endpoint, files_of(security), move || {
            server_config(&made_of, &offer, protocols)
        });
        let config = config?;
        tracing::info!("starting with {endpoint} TLS");
        Ok(Listener {
            config,
            endpoint,
            check_hosts: !security.skip_names,
            cert_auth: security.cert_auth,
            quota: Quota::new(),
        })
    }

    /// None for whoever was turned away; the log has it.
    pub async fn enter<IO>(&self, io: IO, remote: Option<IpAddr>, shown: &str) -> Option<Entered<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let entering = tokio::time::timeout(HANDSHAKE_MAX, self.shake(io, remote));
        let entered = entering.await.unwrap_or_else(|_| Err(Rejected::late(HANDSHAKE_MAX)));
        entered
            .inspect_err(|rejected| rejected.tell(self.endpoint, shown, &self.quota))
            .ok()
    }

    async fn shake<IO>(&self, io: IO, remote: Option<IpAddr>) -> Result<Entered<IO>, Rejected>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let config = self.config.current().await;
        let hello = LazyConfigAcceptor::new(Acceptor::default(), io).await;
        let hello = hello.map_err(|error| Rejected::new(&error, String::new()))?;
        let server_name = hello.client_hello().server_name().unwrap_or_default().to_owned();
        let stream = hello.into_stream(config).await;
        let stream = stream.map_err(|error| Rejected::new(&error, server_name.clone()))?;
        let leaf = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        if let (true, Some(leaf), Some(remote)) = (self.check_hosts, leaf, remote) {
            let fits = hosts::check(leaf, remote).await;
            fits.map_err(|error| Rejected::shown(leaf, error, server_name))?;
        }
        let certificate = leaf.filter(|_| self.cert_auth).map(|leaf| ClientCertificate {
            common_name: certificate::common_name(leaf).into(),
        });
        Ok(Entered { stream, certificate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Allowed, TlsConfig};
    use crate::tls::testing::{Authority, connect};

    fn offer() -> Offer {
        let none = crate::args::Settings::default();
        TlsConfig::new(&none).expect("valid").offer
    }

    /// What a listener makes of a client that shows a certificate for `hosts`, coming from `remote`.
    async fn entered(
        security: Security,
        peers: bool,
        hosts: &[&str],
        remote: &str,
    ) -> Option<Entered<tokio::io::DuplexStream>> {
        let authority = Authority::new();
        let security = authority.secure(security);
        let made = if peers {
            Listener::for_peers
        } else {
            Listener::for_clients
        };
        let listener = made(&security, &offer()).expect("a listener");
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let shown = authority.issue("root", hosts);
        let dialled = tokio::spawn(connect(theirs, authority.trusting(&shown)));
        let entered = listener
            .enter(ours, Some(remote.parse().expect("an address")), remote)
            .await;
        dialled.abort();
        entered
    }

    fn certificates_count() -> Security {
        Security {
            cert_auth: true,
            skip_names: true,
            ..Security::default()
        }
    }

    #[tokio::test]
    async fn a_certificate_names_its_client_only_where_that_is_asked_for() {
        let entered_with = async |cert_auth| {
            let security = Security {
                cert_auth,
                ..certificates_count()
            };
            entered(security, false, &[], "192.0.2.1")
                .await
                .expect("let in")
                .certificate
        };
        let root = ClientCertificate {
            common_name: "root".into(),
        };
        assert_eq!(entered_with(true).await, Some(root));
        assert_eq!(entered_with(false).await, None);
    }

    #[tokio::test]
    async fn a_name_that_is_not_allowed_stays_out() {
        let named = |name: &str| Security {
            allowed: Allowed::CommonNames(vec![name.to_owned()]),
            ..certificates_count()
        };
        assert!(entered(named("root"), false, &[], "192.0.2.1").await.is_some());
        assert!(entered(named("other"), false, &[], "192.0.2.1").await.is_none());
    }

    #[tokio::test]
    async fn a_peer_comes_from_where_its_certificate_says() {
        let strict = || Security {
            skip_names: false,
            ..certificates_count()
        };
        assert!(entered(strict(), true, &["192.0.2.1"], "192.0.2.1").await.is_some());
        assert!(entered(strict(), true, &["192.0.2.1"], "192.0.2.2").await.is_none());
        assert!(
            entered(certificates_count(), true, &["192.0.2.1"], "192.0.2.2")
                .await
                .is_some()
        );
    }
}
