//! The way to peers, by whatever their URL says.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use futures::future::BoxFuture;
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use taffrail_consensus::{Dialer, PlainDialer, Wire};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::heard::{Heard, tell};
use super::live::Live;
use super::reject::Quota;
use super::server_check::ServerCheck;
use super::{ciphers, files, text};
use crate::config::{KeyPair, Offer, Security, Url};

/// Dials `http`, `https`, `unix` and `unixs` URLs.
pub struct PeerDialer(Arc<Inner>);

struct Inner {
    security: Security,
    offer: Offer,
    /// Made at the start if anything is said about peers' certificates, else with the first secure URL.
    config: OnceLock<Arc<Live<ClientConfig>>>,
    quota: Arc<Quota>,
}

impl PeerDialer {
    /// # Errors
    /// A file that cannot be used.
    pub fn new(security: Security, offer: Offer) -> Result<Self> {
        let inner = Inner {
            config: OnceLock::new(),
            quota: Arc::new(Quota::new()),
            security,
            offer,
        };
        let shown = shown(&inner.security).is_some();
        if shown || inner.security.authorities.is_some() {
            inner.config().context("cannot dial peers with TLS")?;
        }
        Ok(PeerDialer(Arc::new(inner)))
    }
}

impl Dialer for PeerDialer {
    fn dial(&self, url: &str) -> BoxFuture<'static, io::Result<Box<dyn Wire>>> {
        let (inner, url) = (self.0.clone(), url.to_owned());
        Box::pin(async move { inner.dial(&url).await })
    }
}

impl Inner {
    async fn dial(&self, url: &str) -> io::Result<Box<dyn Wire>> {
        match Url::parse(url).map_err(io::Error::other)? {
            Url::Tcp { secure: false, .. } => PlainDialer.dial(url).await,
            Url::Unix { secure: false, path } => Ok(Box::new(UnixStream::connect(path).await?)),
            Url::Unix { secure: true, path } => self.secure(UnixStream::connect(path).await?, url, "localhost").await,
            parsed @ Url::Tcp { port, .. } => {
                let host = parsed.host().unwrap_or_default();
                let stream = TcpStream::connect((host, port)).await?;
                // Without this every small message waits for the acknowledgement of the last one.
                stream.set_nodelay(true)?;
                self.secure(stream, url, host).await
            }
        }
    }

    async fn secure(&self, stream: impl Wire, url: &str, host: &str) -> io::Result<Box<dyn Wire>> {
        let config = self.config().map_err(io::Error::other)?.current().await;
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        match TlsConnector::from(config).connect(name, stream).await {
            Ok(stream) => Ok(Box::new(Heard::new(stream, url.to_owned(), self.quota.clone()))),
            Err(error) => {
                let told = text::of(&error);
                tell(url, &told, &self.quota);
                Err(io::Error::new(error.kind(), told))
            }
        }
    }

    fn config(&self) -> Result<&Arc<Live<ClientConfig>>> {
        if let Some(config) = self.config.get() {
            return Ok(config);
        }
        let (security, offer) = (self.security.clone(), self.offer.clone());
        let files = files_of(&security);
        let made = Live::new("peer dialer", files, move || client_config(&security, &offer))?;
        Ok(self.config.get_or_init(|| made))
    }
}

fn shown(security: &Security) -> Option<&KeyPair> {
    security.dialling.as_ref().or(security.own.as_ref())
}

fn files_of(security: &Security) -> Vec<PathBuf> {
    let shown = shown(security).into_iter().flat_map(|pair| [&pair.cert, &pair.key]);
    shown.chain(&security.authorities).cloned().collect()
}

fn client_config(security: &Security, offer: &Offer) -> Result<ClientConfig> {
    let provider = ciphers::provider(offer)?;
    let builder = ClientConfig::builder_with_provider(provider.clone());
    let builder = builder.with_protocol_versions(&ciphers::versions(offer))?;
    let check = ServerCheck::new(security, provider.clone())?;
    let builder = builder.dangerous().with_custom_certificate_verifier(check);
    let mut config = match shown(security) {
        Some(pair) => {
            let pair = files::certified(pair, &provider)?;
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(pair)))
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}
