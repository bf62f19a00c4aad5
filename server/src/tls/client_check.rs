//! Whether a client may come in, by the certificate it shows.

use std::sync::Arc;

use anyhow::{Context, Result};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme};

use super::authorities::{Authorities, trusted};
use super::certificate::{self, Side};
use super::crl::{Revoked, trimmed};
use crate::config::{Allowed, Security};
use crate::hex::hex;

/// The chain first, then what etcd asks beyond it: not revoked, and of an allowed name.
#[derive(Debug)]
pub(super) struct ClientCheck {
    chain: Arc<dyn ClientCertVerifier>,
    authorities: Arc<Authorities>,
    revoked: Revoked,
    allowed: Allowed,
}

/// etcd's words (transport, checkCRL).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("transport: certificate serial {0} revoked")]
struct SerialRevoked(String);

impl ClientCheck {
    pub fn new(security: &Security, provider: &Arc<CryptoProvider>) -> Result<Arc<Self>> {
        let authorities = trusted(security.authorities.as_deref())?;
        let revoked = match &security.revoked {
            Some(path) => Revoked::read(path).context("cannot use the CRL file")?,
            None => Revoked::default(),
        };
        let chain = WebPkiClientVerifier::builder_with_provider(authorities.roots.clone(), provider.clone());
        Ok(Arc::new(ClientCheck {
            chain: chain.build().context("cannot verify with the trusted CA file")?,
            authorities,
            revoked,
            allowed: security.allowed.clone(),
        }))
    }

    fn check_revoked(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        if self.revoked.is_empty() {
            return Ok(());
        }
        let parsed = certificate::parse(certificate).ok_or(CertificateError::BadEncoding)?;
        let serial = parsed.raw_serial();
        if self.revoked.has(serial) {
            let revoked = SerialRevoked(hex(trimmed(serial)));
            return Err(CertificateError::Other(OtherError(Arc::new(revoked))).into());
        }
        Ok(())
    }
}

impl ClientCertVerifier for ClientCheck {
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain.verify_client_cert(end_entity, intermediates, now);
        if self.authorities.has(end_entity) && certificate::is_usable(end_entity, Side::Client) {
            // It speaks for itself.
        } else {
            verified?;
        }
        for certificate in std::iter::once(end_entity).chain(intermediates) {
            self.check_revoked(certificate)?;
        }
        certificate::check_allowed(&self.allowed, end_entity)?;
        Ok(ClientCertVerified::assertion())
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
