//! Whether two sides accept each other's certificates: a real handshake of TLS, in memory.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use taffrail_operator::etcd::ClientTls;

use super::super::State;
use super::super::kubelet::Process;

/// What one side has.
#[derive(Clone, Debug, Default, Hash)]
pub struct Side {
    /// Without them anybody is accepted.
    pub authorities: Option<String>,
    pub certificate: String,
    pub key: String,
}

impl From<&ClientTls> for Side {
    fn from(tls: &ClientTls) -> Self {
        Self {
            authorities: Some(tls.authorities.clone()),
            certificate: tls.certificate.clone(),
            key: tls.key.clone(),
        }
    }
}

/// One member's connection to another's peer port at `url`: plain or not as the URL says, whatever files either has.
pub fn peers(state: &State, from: &Process, to: &Process, (url, name): (&str, &str)) -> Result<(), String> {
    match (url.starts_with("https://"), served_to_peers(state, to)) {
        (false, None) => Ok(()),
        (true, Some(server)) => {
            let client = peer_side(state, from).ok_or("there is no certificate to show a peer")?;
            check(state, &client, &server, name)
        }
        _ => Err("one side speaks TLS and the other does not".into()),
    }
}

/// The scheme of where it listens decides whether its certificate is served there.
pub fn served_to_peers(state: &State, of: &Process) -> Option<Side> {
    let listens = of.flags.list("listen-peer-urls");
    let tls = listens.iter().any(|url| url.starts_with("https://"));
    peer_side(state, of).filter(|_| tls)
}

fn peer_side(state: &State, of: &Process) -> Option<Side> {
    let certificate = of.flags.file(state, "peer-cert-file")?;
    let key = of.flags.file(state, "peer-key-file")?;
    Some(Side {
        authorities: of.peer_authorities.clone(),
        certificate,
        key,
    })
}

/// What it serves clients with.
pub fn client_side(state: &State, of: &Process) -> Option<Side> {
    let certificate = of.flags.file(state, "cert-file")?;
    let key = of.flags.file(state, "key-file")?;
    let asks = of.flags.is("client-cert-auth");
    Some(Side {
        authorities: of.client_authorities.clone().filter(|_| asks),
        certificate,
        key,
    })
}

thread_local! {
    /// Handshakes cost a millisecond, and worlds make the same ones again and again.
    static KNOWN: std::cell::RefCell<std::collections::HashMap<u64, Result<(), String>>> = Default::default();
}

pub fn check(state: &State, client: &Side, server: &Side, name: &str) -> Result<(), String> {
    let hour = state.now.as_second() / 3600;
    let mut hasher = DefaultHasher::new();
    (client, server, name, hour).hash(&mut hasher);
    let key = hasher.finish();
    if let Some(known) = KNOWN.with_borrow(|known| known.get(&key).cloned()) {
        return known;
    }
    let outcome = shake(client, server, name, state.now.as_second());
    KNOWN.with_borrow_mut(|known| known.insert(key, outcome.clone()));
    outcome
}

#[derive(Debug)]
struct At(i64);

impl TimeProvider for At {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0.try_into().ok()?)))
    }
}

fn shake(client: &Side, server: &Side, name: &str, now: i64) -> Result<(), String> {
    let name = ServerName::try_from(name.to_owned()).map_err(|error| error.to_string())?;
    let mut client =
        ClientConnection::new(Arc::new(client_config(client, now)?), name).map_err(|error| error.to_string())?;
    let mut server = ServerConnection::new(Arc::new(server_config(server, now)?)).map_err(|error| error.to_string())?;
    while client.is_handshaking() || server.is_handshaking() || client.wants_write() || server.wants_write() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).map_err(|error| error.to_string())?;
        feed(&mut server, &wire).map_err(|error| format!("the server: {error}"))?;
        wire.clear();
        server.write_tls(&mut wire).map_err(|error| error.to_string())?;
        feed(&mut client, &wire).map_err(|error| format!("the client: {error}"))?;
    }
    Ok(())
}

fn feed<Data>(
    to: &mut impl std::ops::DerefMut<Target = rustls::ConnectionCommon<Data>>,
    mut wire: &[u8],
) -> Result<(), rustls::Error> {
    while !wire.is_empty() {
        to.read_tls(&mut wire).expect("in memory");
        to.process_new_packets()?;
    }
    Ok(())
}

fn roots(pem: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    Ok(roots)
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())
}

fn key(pem: &str) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|error| error.to_string())
}

fn client_config(side: &Side, now: i64) -> Result<ClientConfig, String> {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_details(ring, Arc::new(At(now))).with_safe_default_protocol_versions();
    builder
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots(side.authorities.as_deref().unwrap_or_default())?)
        .with_client_auth_cert(certificates(&side.certificate)?, key(&side.key)?)
        .map_err(|error| error.to_string())
}

fn server_config(side: &Side, now: i64) -> Result<ServerConfig, String> {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_details(ring.clone(), Arc::new(At(now))).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    let builder = match &side.authorities {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(pem)?), ring).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| error.to_string())?)
        }
    };
    builder
        .with_single_cert(certificates(&side.certificate)?, key(&side.key)?)
        .map_err(|error| error.to_string())
}

/// Common name of the certificate, which etcd takes for the user's.
pub fn common_name(pem: &str) -> Option<String> {
    let certificate = certificates(pem).ok()?.into_iter().next()?;
    let (_, parsed) = x509_parser::parse_x509_certificate(&certificate).ok()?;
    parsed
        .subject()
        .iter_common_name()
        .next()
        .and_then(|name| name.as_str().ok())
        .map(str::to_owned)
}
