//! Where clients find members.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint, Uri};

const CONNECT_PATIENCE: Duration = Duration::from_secs(1);

/// The addresses of a cluster's members, as far as somebody knows them now.
type Addresses = Box<dyn Fn() -> Vec<String> + Send + Sync>;
/// How to speak TLS, as far as somebody knows it now; none is plain HTTP.
type Speech = Box<dyn Fn() -> Option<Arc<ClientConfig>> + Send + Sync>;

/// One door per client slot.
pub struct Doors {
    slots: usize,
    kind: Kind,
}

enum Kind {
    /// Slot for slot: a client knows which member it asks.
    Members(Vec<String>),
    /// Members come and go: whoever is reached, as with any client that is given many endpoints.
    Anyone {
        addresses: Addresses,
        turn: AtomicUsize,
        speech: Speech,
    },
}

impl From<Vec<String>> for Doors {
    fn from(urls: Vec<String>) -> Self {
        Self {
            slots: urls.len(),
            kind: Kind::Members(urls),
        }
    }
}

impl Doors {
    /// `addresses` are hosts with ports. They and `speech` are asked for before every connection: members come and go,
    /// and so do certificates.
    pub fn anyone(
        slots: usize,
        addresses: impl Fn() -> Vec<String> + Send + Sync + 'static,
        speech: impl Fn() -> Option<Arc<ClientConfig>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            slots,
            kind: Kind::Anyone {
                addresses: Box::new(addresses),
                turn: AtomicUsize::new(0),
                speech: Box::new(speech),
            },
        }
    }

    pub fn slots(&self) -> usize {
        self.slots
    }

    /// By slot; nobody if a slot is whoever is reached.
    pub fn members(&self) -> &[String] {
        match &self.kind {
            Kind::Members(urls) => urls,
            Kind::Anyone { .. } => &[],
        }
    }

    /// Connects now, so that a member that is down is noticed before anything is sent.
    pub async fn open(&self, slot: usize) -> Result<Channel> {
        match &self.kind {
            Kind::Members(urls) => connect(&urls[slot]).await,
            Kind::Anyone {
                addresses,
                turn,
                speech,
            } => {
                // Another one first every time: one that is reached but does not answer is left that way.
                let (known, first, tls) = (addresses(), turn.fetch_add(1, Ordering::Relaxed), speech());
                let mut outcome = Err(anyhow::anyhow!("no address is known"));
                for offset in 0..known.len() {
                    outcome = dial(&known[(first + offset) % known.len()], tls.clone()).await;
                    if outcome.is_ok() {
                        break;
                    }
                }
                outcome
            }
        }
    }
}

pub async fn connect(url: &str) -> Result<Channel> {
    let endpoint = Endpoint::from_shared(url.to_owned())?
        .connect_timeout(CONNECT_PATIENCE)
        .tcp_nodelay(true);
    in_time(endpoint.connect()).await
}

async fn dial(address: &str, tls: Option<Arc<ClientConfig>>) -> Result<Channel> {
    let Some(tls) = tls else {
        return connect(&format!("http://{address}")).await;
    };
    let dialled = address.to_owned();
    let connector = tower::service_fn(move |_: Uri| {
        let (address, tls) = (dialled.clone(), tls.clone());
        async move { shake(&address, tls).await.map(TokioIo::new) }
    });
    in_time(Endpoint::from_static("http://member").connect_with_connector(connector)).await
}

async fn shake(address: &str, tls: Arc<ClientConfig>) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host).to_owned();
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    TlsConnector::from(tls).connect(name, stream).await
}

async fn in_time<E>(connecting: impl Future<Output = Result<Channel, E>>) -> Result<Channel>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let connected = tokio::time::timeout(CONNECT_PATIENCE, connecting).await;
    Ok(connected.context("no connection in time")??)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_dead_address_is_passed_over() {
        let member = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let alive = member.local_addr().unwrap().to_string();
        let doors = Doors::anyone(1, move || vec!["127.0.0.1:1".to_owned(), alive.clone()], || None);
        for _ in 0..2 {
            assert!(doors.open(0).await.is_ok());
        }
        assert!(Doors::anyone(1, Vec::new, || None).open(0).await.is_err());
    }
}
