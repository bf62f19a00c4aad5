//! Lists of revoked certificates. As in etcd, serial numbers count, whoever issued the list.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;

use super::files;

/// Serial numbers as bytes without leading zeros.
#[derive(Debug, Default)]
pub(super) struct Revoked(HashSet<Vec<u8>>);

impl Revoked {
    /// DER as etcd takes it, or any number of lists in PEM.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = files::read(path)?;
        let lists = if bytes.starts_with(b"-----BEGIN") {
            pem(&bytes)?
        } else {
            vec![bytes]
        };
        ensure!(!lists.is_empty(), "{} holds no revocation list", path.display());
        let mut serials = HashSet::new();
        for list in &lists {
            add(list, &mut serials).with_context(|| format!("{} is not a revocation list", path.display()))?;
        }
        Ok(Revoked(serials))
    }

    pub fn has(&self, serial: &[u8]) -> bool {
        self.0.contains(trimmed(serial))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn pem(text: &[u8]) -> Result<Vec<Vec<u8>>> {
    let lists = CertificateRevocationListDer::pem_slice_iter(text);
    let lists: Result<Vec<_>, _> = lists.map(|list| list.map(|list| list.as_ref().to_vec())).collect();
    lists.context("a revocation list is not PEM")
}

fn add(der: &[u8], serials: &mut HashSet<Vec<u8>>) -> Result<()> {
    let (rest, list) = x509_parser::parse_x509_crl(der).map_err(|error| anyhow::anyhow!("{error}"))?;
    ensure!(rest.is_empty(), "there is something behind it");
    let revoked = list.iter_revoked_certificates();
    serials.extend(revoked.map(|revoked| trimmed(revoked.raw_serial()).to_vec()));
    Ok(())
}

/// DER puts a zero before a number whose first bit is set.
pub(super) fn trimmed(serial: &[u8]) -> &[u8] {
    let zeros = serial.iter().take_while(|byte| **byte == 0).count();
    &serial[zeros..]
}
