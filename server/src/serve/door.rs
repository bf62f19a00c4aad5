//! A bound port or socket, and how one comes in there.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use taffrail_api::ClientCertificate;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::server::TlsStream;

use crate::config::{Address, Place};
use crate::tls::{Either, Entered, HANDSHAKE_MAX, Listener};

/// Connections the kernel holds before they are accepted.
const BACKLOG_CONNECTIONS: u32 = 4096;
/// Connections that have not shown yet what they are; further ones wait in the kernel.
const ENTERING_MAX: usize = 2048;
/// How long a connection may be silent before its first byte (etcd's ReadHeaderTimeout).
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(5 * 60);
/// Pause after the process ran out of descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);
/// The first byte of a TLS handshake (RFC 8446 section 5.1).
const HANDSHAKE_RECORD: u8 = 0x16;

pub(super) type Socket = Either<TcpStream, UnixStream>;
pub(super) type Stream = Either<Socket, TlsStream<Socket>>;

pub struct Door {
    socket: Either<TcpListener, UnixListener>,
    pub place: Place,
    entrance: Entrance,
}

/// What each connection of a door is asked for.
#[derive(Clone)]
struct Entrance {
    plain: bool,
    tls: Option<Arc<Listener>>,
    entering: Arc<Semaphore>,
}

/// A connection that has not come in yet.
pub struct Knock {
    socket: Socket,
    remote: Option<IpAddr>,
    shown: String,
    entrance: Entrance,
    entering: Option<OwnedSemaphorePermit>,
}

enum Language {
    Plain,
    Tls(Arc<Listener>),
}

impl Door {
    /// # Errors
    /// An address that is taken, or not this machine's.
    pub fn open(place: &Place, reuse_port: bool, tls: Option<&Arc<Listener>>) -> Result<Self> {
        // The settings see to it; here it is what keeps a secure place from speaking plainly.
        ensure!(
            tls.is_some() || !place.secure,
            "{} has no certificate to speak TLS with",
            place.address
        );
        let socket = match &place.address {
            Address::Tcp(address) => tcp(*address, reuse_port).map(Either::Left),
            Address::Unix(path) => unix(path).map(Either::Right),
        };
        let entrance = Entrance {
            plain: place.plain,
            tls: tls.filter(|_| place.secure).cloned(),
            entering: Arc::new(Semaphore::new(ENTERING_MAX)),
        };
        Ok(Door {
            socket: socket.with_context(|| format!("cannot listen on {}: is the port in use?", place.address))?,
            place: place.clone(),
            entrance,
        })
    }

    /// The next connection. May be dropped while it waits.
    pub async fn knock(&self) -> Knock {
        let entering = self.entrance.entering.clone().acquire_owned().await;
        let entering = entering.expect("the semaphore is never closed");
        loop {
            match self.accept().await {
                Ok((socket, remote, shown)) => {
                    return Knock {
                        socket,
                        remote,
                        shown,
                        entrance: self.entrance.clone(),
                        entering: Some(entering),
                    };
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }

    async fn accept(&self) -> io::Result<(Socket, Option<IpAddr>, String)> {
        match &self.socket {
            Either::Left(door) => {
                let (stream, remote) = door.accept().await?;
                Ok((Either::Left(stream), Some(remote.ip()), remote.to_string()))
            }
            Either::Right(door) => Ok((Either::Right(door.accept().await?.0), None, "@".to_owned())),
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Address::Unix(path) = &self.place.address {
            // Gone already is as good.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Knock {
    /// Where it comes from, for the log.
    pub fn remote(&self) -> Arc<str> {
        Arc::from(self.shown.as_str())
    }

    /// None for whoever said nothing, or was turned away.
    pub async fn enter(mut self) -> Option<(Stream, Option<ClientCertificate>)> {
        if let Either::Left(stream) = &self.socket
            && let Err(error) = stream.set_nodelay(true)
        {
            // Without this every small answer waits for the acknowledgement of the last one.
            tracing::debug!(%error, "a connection closed at once");
            return None;
        }
        match self.language().await? {
            Language::Plain => Some((Either::Left(self.socket), None)),
            Language::Tls(tls) => {
                let Entered { stream, certificate } = tls.enter(self.socket, self.remote, &self.shown).await?;
                Some((Either::Right(stream), certificate))
            }
        }
    }

    /// Where both are spoken the first byte tells. None for whoever says nothing.
    async fn language(&mut self) -> Option<Language> {
        match (self.entrance.tls.take(), self.entrance.plain) {
            (Some(tls), false) => Some(Language::Tls(tls)),
            (Some(tls), true) => match self.first_byte(HANDSHAKE_MAX).await? {
                HANDSHAKE_RECORD => Some(Language::Tls(tls)),
                _ => Some(Language::Plain),
            },
            (None, _) => {
                // Silence costs nothing but a descriptor here, so that it keeps nobody out.
                self.entering = None;
                self.first_byte(SILENCE_MAX).await.map(|_| Language::Plain)
            }
        }
    }

    async fn first_byte(&self, patience: Duration) -> Option<u8> {
        let Either::Left(stream) = &self.socket else {
            return Some(0);
        };
        let mut first = [0];
        let peeked = tokio::time::timeout(patience, stream.peek(&mut first)).await;
        matches!(peeked, Ok(Ok(1))).then_some(first[0])
    }
}

fn tcp(address: SocketAddr, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // Go sets this on every listener, so that a restart does not wait for old connections.
    socket.set_reuseaddr(true)?;
    if reuse_port {
        socket.set_reuseport(true)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG_CONNECTIONS)
}

/// As etcd does, a socket that is in the way goes: it is what a member that was killed has left.
fn unix(path: &Path) -> io::Result<UnixListener> {
    if std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        std::fs::remove_file(path)?;
    }
    UnixListener::bind(path)
}
