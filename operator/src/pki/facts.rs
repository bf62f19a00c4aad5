//! What a certificate says of itself.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::Flaw;

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Empty if it has none.
    pub common_name: String,
    /// DNS names and addresses that it is for.
    pub names: BTreeSet<String>,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    /// SHA-256 of the DER form, in hexadecimal digits.
    pub fingerprint: String,
}

/// Reads the first certificate of a PEM chain.
///
/// # Errors
/// If there is none, or it is broken.
pub fn facts(pem: &str) -> Result<Facts, Flaw> {
    let chain = certificates(pem)?;
    of(chain.first().ok_or(Flaw::NoCertificate)?)
}

/// Every certificate of a PEM text, in its order.
///
/// # Errors
/// If there is none, or the text is broken.
pub(super) fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, Flaw> {
    let all = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Flaw::BrokenPem(error.to_string()))?;
    if all.is_empty() {
        Err(Flaw::NoCertificate)
    } else {
        Ok(all)
    }
}

pub(super) fn of(der: &CertificateDer<'_>) -> Result<Facts, Flaw> {
    let (_, read) = X509Certificate::from_der(der).map_err(|error| Flaw::BrokenPem(error.to_string()))?;
    let common_name = read.subject().iter_common_name().next();
    Ok(Facts {
        common_name: common_name.and_then(|cn| cn.as_str().ok()).unwrap_or_default().into(),
        names: names_of(&read),
        not_before: second(read.validity().not_before.timestamp())?,
        not_after: second(read.validity().not_after.timestamp())?,
        fingerprint: fingerprint(der),
    })
}

pub(super) fn fingerprint(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn second(unix: i64) -> Result<Timestamp, Flaw> {
    Timestamp::from_second(unix).map_err(|error| Flaw::BrokenPem(error.to_string()))
}

fn names_of(read: &X509Certificate<'_>) -> BTreeSet<String> {
    let Ok(Some(extension)) = read.subject_alternative_name() else {
        return BTreeSet::new();
    };
    extension.value.general_names.iter().filter_map(name_of).collect()
}

fn name_of(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(super::authority::canonical(name)),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(|four| Ipv4Addr::from(four).into()),
        16 => <[u8; 16]>::try_from(bytes).ok().map(|all| Ipv6Addr::from(all).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::pki::testing::at;
    use crate::pki::{Leaf, found, issue};

    #[test]
    fn what_was_asked_for_is_what_is_read() {
        let authority = found("a client CA", at(0), Duration::from_secs(1000)).unwrap();
        let names = ["*.a-peers.ns.svc", "LOCALHOST", "127.0.0.1", "0:0::1"];
        let leaf = Leaf::server("a", names.map(String::from), Duration::from_secs(500));
        let read = facts(&issue(&authority, &leaf, at(0)).unwrap().certificate).unwrap();
        let expected = ["*.a-peers.ns.svc", "localhost", "127.0.0.1", "::1"];
        assert_eq!(read.names, expected.map(String::from).into());
        assert_eq!((read.common_name.as_str(), read.not_before), ("a", at(-300)));
        assert_eq!((read.not_after, read.fingerprint.len()), (at(500), 64));
    }

    #[test]
    fn text_without_a_certificate_is_a_flaw_and_no_panic() {
        let cut = "-----BEGIN CERTIFICATE-----\nAAAA";
        let wrong = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(facts(""), Err(Flaw::NoCertificate));
        assert!(matches!(facts(cut), Err(Flaw::BrokenPem(_) | Flaw::NoCertificate)));
        assert!(matches!(facts(wrong), Err(Flaw::BrokenPem(_))));
    }
}
