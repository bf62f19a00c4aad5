//! The handshake of who comes in.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::server::{Acceptor, NoServerSessionStorage};
use rustls::sign::SingleCertAndKey;
use taffrail_api::ClientCertificate;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::client_check::ClientCheck;
use super::live::Live;
use super::reject::Quota;
use super::{certificate, ciphers, files, hosts, text};
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

/// Why somebody was not.
struct Rejected {
    server_name: String,
    error: String,
    quietly: bool,
    /// What was shown, if it is only afterwards that it did not fit.
    shown: Option<CertificateDer<'static>>,
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
        let entered = entering.await.unwrap_or_else(|_| Err(Rejected::late()));
        entered.inspect_err(|rejected| self.tell(rejected, shown)).ok()
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
            fits.map_err(|error| Rejected {
                server_name,
                error,
                quietly: false,
                shown: Some(leaf.clone().into_owned()),
            })?;
        }
        let certificate = leaf.filter(|_| self.cert_auth).map(|leaf| ClientCertificate {
            common_name: certificate::common_name(leaf).into(),
        });
        Ok(Entered { stream, certificate })
    }

    fn tell(&self, rejected: &Rejected, remote: &str) {
        let Rejected {
            server_name,
            error,
            quietly,
            shown,
        } = rejected;
        let message = format!("rejected connection on {} endpoint", self.endpoint);
        if *quietly {
            return tracing::debug!(remote_addr = remote, server_name, error, "{message}");
        }
        let Some(unsaid) = self.quota.take() else { return };
        match shown.as_ref().map(certificate::names) {
            None => tracing::warn!(remote_addr = remote, server_name, error, unsaid, "{message}"),
            Some(names) => tracing::warn!(
                remote_addr = remote,
                server_name,
                ip_addresses = format!("{:?}", names.ips),
                dns_names = format!("{:?}", names.dns),
                error,
                unsaid,
                "{message}"
            ),
        }
    }
}

impl Rejected {
    fn new(error: &io::Error, server_name: String) -> Self {
        Rejected {
            server_name,
            error: text::of(error),
            quietly: text::is_eof(error),
            shown: None,
        }
    }

    fn late() -> Self {
        Rejected {
            server_name: String::new(),
            error: format!("i/o timeout: no handshake within {HANDSHAKE_MAX:?}"),
            quietly: false,
            shown: None,
        }
    }
}

fn files_of(security: &Security) -> Vec<PathBuf> {
    let own = security.own.iter().flat_map(|own| [&own.cert, &own.key]);
    own.chain(&security.authorities)
        .chain(&security.revoked)
        .cloned()
        .collect()
}

fn server_config(security: &Security, offer: &Offer, protocols: &[&str]) -> Result<ServerConfig> {
    let provider = ciphers::provider(offer)?;
    let own = security
        .own
        .as_ref()
        .context("KeyFile and CertFile are not presented")?;
    let own = files::certified(own, &provider)?;
    let builder = ServerConfig::builder_with_provider(provider.clone());
    let builder = builder.with_protocol_versions(&ciphers::versions(offer))?;
    let builder = if security.demands_certificates() {
        builder.with_client_cert_verifier(ClientCheck::new(security, &provider)?)
    } else {
        builder.with_no_client_auth()
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
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
