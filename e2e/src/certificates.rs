//! Authorities and certificates made for a test, and clients that use them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
    date_time_ymd,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Signs certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, in PEM.
#[derive(Clone)]
pub struct Shown {
    pub cert: String,
    pub key: String,
    serial: Vec<u8>,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are valid names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key can be made");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority can be made"))
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// For either side of a connection.
    pub fn issue(&self, common_name: &str, hosts: &[&str]) -> Shown {
        self.issue_with(common_name, hosts, |_| {})
    }

    /// One that ends so long from now.
    pub fn issue_for(&self, span: Duration, common_name: &str, hosts: &[&str]) -> Shown {
        let end = SystemTime::now() + span;
        self.issue_with(common_name, hosts, |params| params.not_after = end.into())
    }

    fn issue_with(&self, common_name: &str, hosts: &[&str], more: impl FnOnce(&mut CertificateParams)) -> Shown {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).expect("the names are valid");
        let serial = serial();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        more(&mut params);
        let key = KeyPair::generate().expect("a key can be made");
        let cert = params.signed_by(&key, &self.0).expect("a certificate can be signed");
        Shown {
            cert: cert.pem(),
            key: key.serialize_pem(),
            serial: serial.to_vec(),
        }
    }

    /// A list with these certificates, DER.
    pub fn revoke(&self, revoked: &[&Shown]) -> Vec<u8> {
        let revoked = revoked.iter().map(|shown| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&shown.serial),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2100, 1, 1),
            crl_number: SerialNumber::from_slice(&[1]),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.0).expect("a list can be signed").der().to_vec()
    }
}

impl Shown {
    pub fn of(cert: String, key: String) -> Self {
        Self {
            cert,
            key,
            serial: Vec::new(),
        }
    }
}

/// A number that no other certificate of this process has. Its first bit is set, which DER writes with a zero before.
fn serial() -> [u8; 5] {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let [a, b, c, d] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    [0x90, a, b, c, d]
}

/// Files that a member reads.
pub struct Folder(tempfile::TempDir);

impl Folder {
    /// The certificate of a member, and whom it trusts.
    pub fn with(shown: &Shown, trusted: &[&Authority]) -> Self {
        let folder = Self(tempfile::tempdir().expect("a temp folder can be made"));
        folder.show(shown);
        folder.trust(trusted);
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
    /// `--flag=path of the file`.
    pub fn flag(&self, flag: &str, name: &str) -> String {
        format!("--{flag}={}", self.path(name).display())
    }
    /// Flags for certificate, key and authorities, with `peer-` before their names or nothing.
    pub fn flags(&self, prefix: &str) -> Vec<String> {
        let flag = |flag: &str, name| self.flag(&format!("{prefix}{flag}"), name);
        vec![
            flag("cert-file", "cert.pem"),
            flag("key-file", "key.pem"),
            flag("trusted-ca-file", "ca.pem"),
        ]
    }

    pub fn show(&self, shown: &Shown) {
        self.write("cert.pem", shown.cert.as_bytes());
        self.write("key.pem", shown.key.as_bytes());
    }
    pub fn trust(&self, authorities: &[&Authority]) {
        let pem: String = authorities.iter().map(|authority| authority.pem()).collect();
        self.write("ca.pem", pem.as_bytes());
    }

    /// A file is there whole or not at all, as rotating programs write it.
    pub fn write(&self, name: &str, bytes: &[u8]) {
        let fresh = self.path("fresh");
        std::fs::write(&fresh, bytes).expect("the temp folder is writable");
        std::fs::rename(&fresh, self.path(name)).expect("the temp folder is writable");
    }
}

/// Whom a client believes.
pub enum Trust<'a> {
    Authorities(&'a [&'a Authority]),
    /// A member's own certificate file.
    File(&'a Path),
    /// Authorities' certificates as text.
    Pem(&'a str),
    Anybody,
}

/// How a client is set up; all versions and cipher suites unless told otherwise.
pub struct Speech<'a> {
    pub trust: Trust<'a>,
    pub shown: Option<&'a Shown>,
    pub versions: &'static [&'static SupportedProtocolVersion],
    pub suites: fn(&rustls::SupportedCipherSuite) -> bool,
}

impl<'a> Speech<'a> {
    pub fn new(trust: Trust<'a>, shown: Option<&'a Shown>) -> Self {
        Speech {
            trust,
            shown,
            versions: rustls::ALL_VERSIONS,
            suites: |_| true,
        }
    }

    pub fn config(self) -> Arc<ClientConfig> {
        let mut provider = ring::default_provider();
        provider.cipher_suites.retain(self.suites);
        let provider = Arc::new(provider);
        let builder = ClientConfig::builder_with_provider(provider.clone());
        let builder = builder
            .with_protocol_versions(self.versions)
            .expect("a version is left");
        let builder = match roots(&self.trust) {
            Some(roots) => builder.with_root_certificates(roots),
            None => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Gullible(provider))),
        };
        let mut config = match self.shown {
            Some(shown) => builder
                .with_client_auth_cert(chain(&shown.cert), key(shown))
                .expect("the pair fits"),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(config)
    }
}

/// A client that trusts these authorities and shows this certificate.
pub fn client(trusted: &[&Authority], shown: Option<&Shown>) -> Arc<ClientConfig> {
    Speech::new(Trust::Authorities(trusted), shown).config()
}

/// Shakes hands with whoever listens at `address`. In TLS 1.3 a refusal only comes with the first read.
pub async fn shake(address: &str, config: Arc<ClientConfig>) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from("127.0.0.1").expect("a valid name");
    TlsConnector::from(config).connect(name, stream).await
}

fn roots(trust: &Trust<'_>) -> Option<RootCertStore> {
    let certificates: Vec<_> = match trust {
        Trust::Authorities(authorities) => authorities.iter().map(|authority| authority.0.der().clone()).collect(),
        Trust::File(path) => chain(&std::fs::read_to_string(path).expect("the file is there")),
        Trust::Pem(text) => chain(text),
        Trust::Anybody => return None,
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).expect("it is a certificate");
    }
    Some(roots)
}

fn chain(pem: &str) -> Vec<CertificateDer<'static>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    found.expect("it is PEM")
}

fn key(shown: &Shown) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(shown.key.as_bytes()).expect("it is PEM")
}

/// Believes everybody, as `--insecure-skip-tls-verify` does.
#[derive(Debug)]
struct Gullible(Arc<CryptoProvider>);

impl ServerCertVerifier for Gullible {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
