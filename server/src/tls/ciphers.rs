//! Versions and cipher suites by the names that Go and etcd give them.

use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use rustls::crypto::{CryptoProvider, ring};
use rustls::{CipherSuite, SupportedCipherSuite, SupportedProtocolVersion, version};

use crate::config::{Offer, Version};

use rustls::CipherSuite as Id;

/// Suites of TLS 1.2 that can be chosen; those of 1.3 are always on, as in Go.
const SPOKEN: [(&str, CipherSuite); 8] = [
    (
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        Id::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        Id::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        Id::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        Id::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        Id::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        Id::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305",
        Id::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305",
        Id::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
];

/// What Go also knows: of 1.3, or too weak to be spoken here.
const KNOWN: [&str; 19] = [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_RC4_128_SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
];

pub(super) fn versions(offer: &Offer) -> Vec<&'static SupportedProtocolVersion> {
    let all = [(Version::V12, &version::TLS12), (Version::V13, &version::TLS13)];
    let spoken = all
        .iter()
        .filter(|(version, _)| (offer.min..=offer.max).contains(version));
    spoken.map(|(_, version)| *version).collect()
}

/// # Errors
/// etcd's words for a name it does not know; ours if nothing is left that is spoken here.
pub(super) fn provider(offer: &Offer) -> Result<Arc<CryptoProvider>> {
    let mut provider = ring::default_provider();
    if !offer.suites.is_empty() {
        provider.cipher_suites = chosen(&offer.suites, &provider.cipher_suites)?;
    }
    Ok(Arc::new(provider))
}

fn chosen(names: &[String], spoken: &[SupportedCipherSuite]) -> Result<Vec<SupportedCipherSuite>> {
    let mut old = Vec::new();
    for name in names {
        match SPOKEN.iter().find(|(known, _)| known == name) {
            Some((_, id)) => old.extend(spoken.iter().filter(|suite| suite.suite() == *id)),
            None if KNOWN.contains(&name.as_str()) => {}
            None => bail!("unexpected TLS cipher suite {name:?}"),
        }
    }
    ensure!(
        !old.is_empty(),
        "none of --cipher-suites={} is spoken by this version: it takes ECDHE with AES-GCM or ChaCha20",
        names.join(",")
    );
    let new = spoken.iter().filter(|suite| suite.tls13().is_some());
    Ok(new.copied().chain(old).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(suites: &[&str], min: Version, max: Version) -> Offer {
        let suites = suites.iter().map(|name| (*name).to_owned()).collect();
        Offer { min, max, suites }
    }

    #[test]
    fn suites_are_chosen_by_gos_names() {
        let names = ["TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305", "TLS_RSA_WITH_RC4_128_SHA"];
        let provider = provider(&offer(&names, Version::V12, Version::V13)).expect("valid");
        let old: Vec<_> = provider
            .cipher_suites
            .iter()
            .filter(|suite| suite.tls13().is_none())
            .collect();
        assert_eq!(old.len(), 1);
        assert_eq!(old[0].suite(), Id::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256);
    }

    #[test]
    fn unknown_and_unspoken_suites_are_refused() {
        let refused = |name| {
            provider(&offer(&[name], Version::V12, Version::V13))
                .expect_err(name)
                .to_string()
        };
        assert_eq!(refused("no_such"), "unexpected TLS cipher suite \"no_such\"");
        assert!(refused("TLS_RSA_WITH_RC4_128_SHA").starts_with("none of --cipher-suites="));
    }

    #[test]
    fn every_name_means_a_suite_that_is_there() {
        let spoken = ring::default_provider().cipher_suites;
        for (name, id) in SPOKEN {
            assert!(spoken.iter().any(|suite| suite.suite() == id), "{name}");
        }
    }

    #[test]
    fn versions_are_a_range() {
        let count = |min, max| versions(&offer(&[], min, max)).len();
        assert_eq!(count(Version::V12, Version::V13), 2);
        assert_eq!(count(Version::V13, Version::V13), 1);
        assert_eq!(versions(&offer(&[], Version::V12, Version::V12)), [&version::TLS12]);
    }
}
