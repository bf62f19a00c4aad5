//! A certificate authority: ECDSA P-256, signs leaves of one surface of one cluster and nothing else.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

use super::{BACKDATED, Flaw, Leaf, Pair, facts};

/// Why a certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A name that no certificate can hold, or no randomness.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    #[error("no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
    /// The authority that should sign cannot be read.
    #[error("the certificate authority: {0}")]
    Authority(#[from] Flaw),
}

/// Makes an authority whose name begins with `name`; another one of that name gets another end, so that nobody takes
/// one for the other.
///
/// # Errors
/// If there is no randomness.
pub fn found(name: &str, now: Timestamp, life: Duration) -> Result<Pair, PkiError> {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, format!("{name} {}", some_digits()?));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    lasts(&mut params, now, now + life);
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok(pair(&certificate, &key))
}

/// Signs a new leaf with a new key. It never outlives its authority.
///
/// # Errors
/// If the authority cannot be read or a name is not possible.
pub fn issue(authority: &Pair, leaf: &Leaf, now: Timestamp) -> Result<Pair, PkiError> {
    let end = facts(&authority.certificate)?.not_after;
    let issuer = Issuer::from_ca_cert_pem(&authority.certificate, KeyPair::from_pem(&authority.key)?)?;
    let mut params = params_of(leaf)?;
    lasts(&mut params, now, (now + leaf.life).min(end));
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &issuer)?;
    Ok(pair(&certificate, &key))
}

fn params_of(leaf: &Leaf) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::new(leaf.names.iter().cloned().collect::<Vec<_>>())?;
    params
        .distinguished_name
        .push(DnType::CommonName, leaf.common_name.clone());
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    if leaf.serves {
        params.insert_extended_key_usage(ExtendedKeyUsagePurpose::ServerAuth);
    }
    Ok(params)
}

fn pair(certificate: &rcgen::Certificate, key: &KeyPair) -> Pair {
    Pair {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    }
}

fn lasts(params: &mut CertificateParams, now: Timestamp, until: Timestamp) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + since_epoch(now).saturating_sub(BACKDATED);
    params.not_after = epoch + since_epoch(until);
}

fn since_epoch(time: Timestamp) -> Duration {
    Duration::from_secs(u64::try_from(time.as_second()).unwrap_or(0))
}

fn some_digits() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{:08x}", u32::from_be_bytes(bytes)))
}

/// As Go and RFC 5280 compare them: an address by its value, a name without regard to case.
pub(super) fn canonical(name: &str) -> String {
    name.parse::<IpAddr>()
        .map_or_else(|_| name.to_ascii_lowercase(), |address| address.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::testing::{DAY, at};

    #[test]
    fn a_leaf_never_outlives_its_authority() {
        let authority = found("a client CA", at(0), Duration::from_secs(86_400)).unwrap();
        let leaf = Leaf::client("root", Duration::from_secs(90 * 86_400));
        let made = issue(&authority, &leaf, at(DAY / 2)).unwrap();
        assert_eq!(facts(&made.certificate).unwrap().not_after, at(DAY));
    }

    #[test]
    fn two_authorities_of_one_cluster_have_two_names() {
        let make = || found("a client CA", at(0), Duration::from_secs(86_400)).unwrap();
        let name = |pair: Pair| facts(&pair.certificate).unwrap().common_name;
        assert_ne!(name(make()), name(make()));
    }

    #[test]
    fn a_leaf_by_an_authority_that_cannot_be_read_is_an_error() {
        let broken = Pair {
            certificate: "x".into(),
            key: "y".into(),
        };
        assert!(issue(&broken, &Leaf::client("root", Duration::from_secs(1)), at(0)).is_err());
    }
}
