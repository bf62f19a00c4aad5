//! Whether the member that was dialled is one, by the certificate it shows.

use std::sync::Arc;

use anyhow::{Context, Result};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::authorities::{Authorities, trusted};
use super::certificate::{self, Side};
use crate::config::{Allowed, Security};

#[derive(Debug)]
pub(super) struct ServerCheck {
    chain: Chain,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
enum Chain {
    /// Certificates that members made themselves cannot be verified: they keep listeners out, not impostors.
    Anybody,
    Known(Arc<WebPkiServerVerifier>, Arc<Authorities>, Allowed),
}

impl ServerCheck {
    pub fn new(security: &Security, provider: Arc<CryptoProvider>) -> Result<Arc<Self>> {
        let chain = if security.auto {
            Chain::Anybody
        } else {
            let authorities = trusted(security.authorities.as_deref())?;
            let roots = authorities.roots.clone();
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build();
            let verifier = verifier.context("cannot verify with the trusted CA file")?;
            Chain::Known(verifier, authorities, security.allowed.clone())
        };
        Ok(Arc::new(ServerCheck { chain, provider }))
    }
}

/// An authority that shows its own certificate, for a name that is in it.
fn speaks_for_itself(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> Result<(), Error> {
    if !certificate::is_usable(certificate, Side::Server) {
        return Err(CertificateError::Expired.into());
    }
    if certificate::is_for(certificate, &name.to_str()) {
        Ok(())
    } else {
        Err(CertificateError::NotValidForName.into())
    }
}

impl ServerCertVerifier for ServerCheck {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Chain::Known(verifier, authorities, allowed) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        if authorities.has(end_entity) {
            speaks_for_itself(end_entity, name)?;
        } else {
            verifier.verify_server_cert(end_entity, intermediates, name, ocsp, now)?;
        }
        certificate::check_allowed(allowed, end_entity)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
