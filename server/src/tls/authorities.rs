//! Whose word counts: the certificates of a file, or those of the system.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use super::files;

#[derive(Debug)]
pub(super) struct Authorities {
    pub roots: Arc<RootCertStore>,
    /// An authority may speak for itself: Go takes such a certificate at an end, webpki does not.
    themselves: HashSet<CertificateDer<'static>>,
}

impl Authorities {
    pub fn read(path: Option<&Path>) -> Result<Self> {
        let (certificates, whose) = match path {
            Some(path) => (files::certificates(path)?, path.display().to_string()),
            None => (system(), "the system's authorities".to_owned()),
        };
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            let added = roots.add(certificate.clone());
            ensure!(
                path.is_none() || added.is_ok(),
                "{whose} holds what is no certificate: {added:?}"
            );
        }
        ensure!(!roots.is_empty(), "no certificate is found in {whose}");
        Ok(Authorities {
            roots: Arc::new(roots),
            themselves: certificates.into_iter().collect(),
        })
    }

    pub fn has(&self, certificate: &CertificateDer<'_>) -> bool {
        self.themselves.contains(certificate)
    }
}

fn system() -> Vec<CertificateDer<'static>> {
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        tracing::warn!(%error, "some of the system's authorities cannot be read");
    }
    found.certs
}

/// What is wrong with a file, told with the flag's last part.
pub(super) fn trusted(path: Option<&Path>) -> Result<Arc<Authorities>> {
    Authorities::read(path)
        .context("cannot use the trusted CA file")
        .map(Arc::new)
}
