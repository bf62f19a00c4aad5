//! Whether a certificate would be accepted, found out by the verifier that TLS connections use.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, RootCertStore};

use super::facts::{certificates, of};
use super::{Facts, Pair};

/// What is wrong with a certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("there is no certificate in it")]
    NoCertificate,
    #[error("it is no PEM that can be read: {0}")]
    BrokenPem(String),
    #[error("the key cannot be read: {0}")]
    BrokenKey(String),
    #[error("the key does not belong to the certificate")]
    KeyDoesNotFit,
    #[error("ca.crt cannot be used: {0}")]
    Authorities(String),
    #[error("it expired at {0}")]
    Expired(Timestamp),
    #[error("it is not valid before {0}")]
    NotYetValid(Timestamp),
    #[error("none of the authorities in ca.crt signed it")]
    NotSigned,
    #[error("it is not for the name {0}")]
    NotForName(String),
    #[error("its extended key usage does not allow {0}")]
    NotForUse(&'static str),
    #[error("{0}")]
    Other(String),
}

/// What a certificate shall be good for.
pub enum Use {
    /// Shown by clients.
    Client,
    /// Shown by a server of these names.
    Server(Vec<String>),
}

/// Whether `pair` would be accepted now by one who trusts `authorities` (PEM), and what it says of itself.
///
/// # Errors
/// The first flaw, the plainest first.
pub fn check(pair: &Pair, authorities: &str, what: &Use, now: Timestamp) -> Result<Facts, Flaw> {
    let chain = certificates(&pair.certificate)?;
    let read = of(&chain[0])?;
    key_fits(pair, &chain)?;
    in_time(&read, now)?;
    let roots = roots(authorities)?;
    match what {
        Use::Client => verify_client(roots, &chain, now)?,
        Use::Server(names) => verify_server(roots, &chain, names, now)?,
    }
    Ok(read)
}

fn key_fits(pair: &Pair, chain: &[CertificateDer<'static>]) -> Result<(), Flaw> {
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).map_err(|error| Flaw::BrokenKey(error.to_string()))?;
    let signer = ring::sign::any_supported_type(&key).map_err(|error| Flaw::BrokenKey(error.to_string()))?;
    CertifiedKey::new(chain.to_vec(), signer)
        .keys_match()
        .map_err(|_| Flaw::KeyDoesNotFit)
}

fn in_time(read: &Facts, now: Timestamp) -> Result<(), Flaw> {
    if now >= read.not_after {
        return Err(Flaw::Expired(read.not_after));
    }
    if now < read.not_before {
        return Err(Flaw::NotYetValid(read.not_before));
    }
    Ok(())
}

fn roots(authorities: &str) -> Result<Arc<RootCertStore>, Flaw> {
    let mut roots = RootCertStore::empty();
    for der in certificates(authorities).map_err(|flaw| Flaw::Authorities(flaw.to_string()))? {
        roots.add(der).map_err(|error| Flaw::Authorities(error.to_string()))?;
    }
    Ok(Arc::new(roots))
}

fn verify_client(roots: Arc<RootCertStore>, chain: &[CertificateDer<'_>], now: Timestamp) -> Result<(), Flaw> {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
        .build()
        .map_err(unusable)?;
    let verified = verifier.verify_client_cert(&chain[0], &chain[1..], unix(now));
    verified.map(drop).map_err(|error| flaw(error, "", "clientAuth"))
}

fn verify_server(
    roots: Arc<RootCertStore>,
    chain: &[CertificateDer<'_>],
    names: &[String],
    now: Timestamp,
) -> Result<(), Flaw> {
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider())
        .build()
        .map_err(|error: VerifierBuilderError| Flaw::Authorities(error.to_string()))?;
    for name in names {
        let host = ServerName::try_from(name.as_str()).map_err(|_| Flaw::NotForName(name.clone()))?;
        verifier
            .verify_server_cert(&chain[0], &chain[1..], &host, &[], unix(now))
            .map_err(|error| flaw(error, name, "serverAuth"))?;
    }
    Ok(())
}

fn flaw(error: rustls::Error, name: &str, usage: &'static str) -> Flaw {
    let rustls::Error::InvalidCertificate(why) = error else {
        return Flaw::Other(error.to_string());
    };
    match why {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Flaw::NotSigned,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Flaw::NotForName(name.into())
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => Flaw::NotForUse(usage),
        other => Flaw::Other(other.to_string()),
    }
}

fn unusable(error: rustls::server::VerifierBuilderError) -> Flaw {
    Flaw::Authorities(error.to_string())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn unix(now: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now.as_second()).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::testing::{DAY, at};
    use crate::pki::{Leaf, found, issue};

    const LIFE: Duration = Duration::from_secs(90 * 86_400);

    fn server(names: &[&str]) -> Use {
        Use::Server(names.iter().map(|&name| name.into()).collect())
    }

    #[test]
    fn every_flaw_is_called_by_its_name() {
        let authority = found("a", at(0), LIFE * 2).unwrap();
        let other = found("b", at(0), LIFE * 2).unwrap();
        let wild = Leaf::server("a", ["*.p.ns.svc", "127.0.0.1"].map(String::from), LIFE);
        let good = issue(&authority, &wild, at(0)).unwrap();
        let asks = issue(&authority, &Leaf::client("root", LIFE), at(0)).unwrap();
        let foreign = Pair {
            key: asks.key.clone(),
            ..good.clone()
        };
        let keyless = Pair {
            key: "?".into(),
            ..good.clone()
        };
        let member = server(&["a-0.p.ns.svc", "127.0.0.1"]);
        let named = Flaw::NotForName("a.b.p.ns.svc".into());
        let ca = &authority.certificate;
        let both = format!("{}{ca}", other.certificate);
        let table = [
            (&good, ca, &member, 0, Ok(())),
            (&good, &both, &member, 0, Ok(())),
            (&good, ca, &Use::Client, 0, Ok(())),
            (&asks, ca, &Use::Client, 0, Ok(())),
            (
                &asks,
                ca,
                &server(&["a-0.p.ns.svc"]),
                0,
                Err(Flaw::NotForUse("serverAuth")),
            ),
            (&good, ca, &server(&["a.b.p.ns.svc"]), 0, Err(named)),
            (&good, &other.certificate, &member, 0, Err(Flaw::NotSigned)),
            (&good, ca, &member, 90 * DAY, Err(Flaw::Expired(at(90 * DAY)))),
            (&good, ca, &member, -301, Err(Flaw::NotYetValid(at(-300)))),
            (&foreign, ca, &member, 0, Err(Flaw::KeyDoesNotFit)),
        ];
        for (row, (pair, authorities, what, seconds, expected)) in table.into_iter().enumerate() {
            let said = check(pair, authorities, what, at(seconds)).map(drop);
            // A certificate for clients alone has no names either: which is said first does not matter.
            let nameless = matches!((&said, &expected), (Err(Flaw::NotForName(_)), Err(Flaw::NotForUse(_))));
            assert!(said == expected || nameless, "row {row}: {said:?} {expected:?}");
        }
        let keyless = check(&keyless, ca, &member, at(0));
        assert!(matches!(keyless, Err(Flaw::BrokenKey(_))));
        assert!(matches!(check(&good, "", &member, at(0)), Err(Flaw::Authorities(_))));
    }
}
