//! TLS of the client ports, the peer ports and the way to peers.
//!
//! Enters: what the security flags ask for, and sockets. Leaves: encrypted streams, and who is on the other side.
//! Always holds: nobody gets a stream whose certificate was demanded and not verified; files that change on disk count
//! within a second for whoever comes then, and a broken one changes nothing; no session is resumed, so that every
//! connection is verified by the rules of its time.

mod authorities;
mod auto;
mod certificate;
mod ciphers;
mod client_check;
mod crl;
mod dialer;
mod either;
mod files;
mod heard;
mod hosts;
mod listener;
mod live;
mod reject;
mod server_check;
mod server_config;
#[cfg(test)]
mod testing;
mod text;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, ensure};

use crate::config::{Config, Security};

pub use dialer::PeerDialer;
pub use either::Either;
pub use listener::{Entered, HANDSHAKE_MAX, Listener};

/// Everything that can be secured. A listener is none where nothing listens securely.
pub struct Tls {
    pub client: Option<Arc<Listener>>,
    pub peer: Option<Arc<Listener>>,
    pub dialer: Arc<PeerDialer>,
}

impl Tls {
    /// Reads every file that is needed, and makes the certificates that are to be made.
    ///
    /// # Errors
    /// A file that cannot be used, named by its flag's part and its path.
    pub fn new(config: &Config) -> Result<Self> {
        let (listen, tls, years) = (&config.listen, &config.tls, config.tls.validity_years);
        let folder = config.data_dir.join("fixtures");
        let client = made(&tls.client, &folder.join("client"), &listen.client_hosts, years)?;
        let peer = made(&tls.peer, &folder.join("peer"), &listen.peer_hosts, years)?;
        let client_places = [&listen.client, &listen.client_http, &listen.metrics];
        let secure_client = client_places
            .iter()
            .any(|places| places.iter().any(|place| place.secure));
        let secure_peer = listen.peer.iter().any(|place| place.secure);
        let listener = |needed: bool, make: &dyn Fn() -> Result<Listener>| needed.then(make).transpose();
        Ok(Tls {
            client: listener(secure_client, &|| Listener::for_clients(&client, &tls.offer))?.map(Arc::new),
            peer: listener(secure_peer, &|| Listener::for_peers(&peer, &tls.offer))?.map(Arc::new),
            dialer: Arc::new(PeerDialer::new(peer, tls.offer.clone())?),
        })
    }
}

/// A proxy's certificate must speak for nobody: its common name would be the user of every client.
///
/// # Errors
/// In etcd's words (transport.TLSInfo, EmptyCN).
pub fn check_no_name(path: &Path) -> Result<()> {
    let name = certificate::common_name(&files::certificates(path)?[0]);
    ensure!(
        name.is_empty(),
        "cert has non empty Common Name ({name}): {}",
        path.display()
    );
    Ok(())
}

/// The settings with a certificate, made if it is to be made.
pub fn made(security: &Security, folder: &Path, hosts: &[String], years: u32) -> Result<Security> {
    let mut security = security.clone();
    if security.auto {
        security.own = Some(auto::certificate(folder, hosts, years)?);
    }
    Ok(security)
}
