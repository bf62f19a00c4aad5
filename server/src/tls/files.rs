//! PEM files -> certificates and keys.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::config::KeyPair;

pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// At least one certificate.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let text = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.with_context(|| format!("{} is not PEM", path.display()))?;
    ensure!(
        !found.is_empty(),
        "failed to find any PEM data of a certificate in {}",
        path.display()
    );
    Ok(found)
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let key = PrivateKeyDer::from_pem_slice(&read(path)?);
    key.with_context(|| format!("failed to find any PEM data of a key in {}", path.display()))
}

/// A chain with the key that fits to it.
pub(super) fn certified(pair: &KeyPair, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>> {
    let KeyPair { cert, key: key_file } = pair;
    let (chain, key) = (certificates(cert)?, key(key_file)?);
    let certified = CertifiedKey::from_der(chain, key, provider).with_context(|| {
        let (cert, key) = (cert.display(), key_file.display());
        format!("the certificate {cert} and the key {key} cannot be used together")
    });
    Ok(Arc::new(certified?))
}
