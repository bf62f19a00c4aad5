//! An authority, its certificates, and both sides of a connection, for the tests of this room.

use std::io;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair as Key};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio_rustls::TlsConnector;

use crate::config::{KeyPair, Security};

pub struct Authority {
    issuer: CertifiedIssuer<'static, Key>,
    folder: tempfile::TempDir,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, Key::generate().expect("a key")).expect("signed");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("writable");
        Authority { issuer, folder }
    }

    /// Files of a pair; the common name is also that of the files.
    pub fn issue(&self, name: &str, hosts: &[&str]) -> KeyPair {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).expect("names");
        params.distinguished_name.push(DnType::CommonName, name);
        let key = Key::generate().expect("a key");
        let signed = params.signed_by(&key, &self.issuer).expect("signed");
        let file = |end: &str| self.folder.path().join(format!("{name}.{end}"));
        std::fs::write(file("crt"), signed.pem()).expect("writable");
        std::fs::write(file("key"), key.serialize_pem()).expect("writable");
        KeyPair {
            cert: file("crt"),
            key: file("key"),
        }
    }

    /// A member of this authority's on 127.0.0.1.
    pub fn secure(&self, security: Security) -> Security {
        Security {
            own: Some(self.issue("member", &["127.0.0.1"])),
            authorities: Some(self.folder.path().join("ca.pem")),
            ..security
        }
    }

    /// A client that trusts it and shows a certificate.
    pub fn trusting(&self, shown: &KeyPair) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("a certificate");
        let chain = vec![CertificateDer::from_pem_file(&shown.cert).expect("PEM")];
        let key = PrivateKeyDer::from_pem_file(&shown.key).expect("PEM");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.expect("versions").with_root_certificates(roots);
        Arc::new(builder.with_client_auth_cert(chain, key).expect("the pair fits"))
    }
}

/// Dials 127.0.0.1 over `stream` and reads until the other side ends it.
pub async fn connect(stream: impl AsyncRead + AsyncWrite + Unpin, config: Arc<ClientConfig>) -> io::Result<()> {
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let mut stream = TlsConnector::from(config).connect(name, stream).await?;
    stream.read_to_end(&mut Vec::new()).await.map(drop)
}
