//! What the security flags ask for, as far as it can be known without reading a file.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use super::{number, switch};
use crate::args::Settings;

/// A certificate chain and its key, both PEM.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyPair {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// Whom a verified certificate must speak of (etcd TLSInfo, AllowedCNs and AllowedHostnames).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Allowed {
    #[default]
    Anybody,
    CommonNames(Vec<String>),
    /// Names or IP addresses.
    Hosts(Vec<String>),
}

/// How one kind of port is secured, clients' or peers'.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Security {
    pub own: Option<KeyPair>,
    /// Shown where this member is the one that dials; else it shows `own`.
    pub dialling: Option<KeyPair>,
    /// Authorities of whoever is on the other side; none is the system's.
    pub authorities: Option<PathBuf>,
    /// etcd's ClientCertAuthEnabled: a certificate's common name counts as a user.
    pub cert_auth: bool,
    pub revoked: Option<PathBuf>,
    pub allowed: Allowed,
    /// `own` is made by this member, and nobody can verify it.
    pub auto: bool,
    /// Names in a peer's certificate need not fit the address it comes from.
    pub skip_names: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    V12,
    V13,
}

/// What both kinds of ports have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub min: Version,
    pub max: Version,
    /// Names of cipher suites; none is all.
    pub suites: Vec<String>,
}

impl Offer {
    /// For whoever only dials: the other side chooses.
    pub fn anything() -> Self {
        Offer {
            min: Version::V12,
            max: Version::V13,
            suites: Vec::new(),
        }
    }
}

#[derive(Debug, Clone)]
pub struct TlsConfig {
    pub client: Security,
    pub peer: Security,
    pub offer: Offer,
    /// How long made certificates last.
    pub validity_years: u32,
}

impl TlsConfig {
    /// # Errors
    /// Flags that contradict each other, in etcd's words where it has some.
    pub fn new(settings: &Settings) -> Result<Self> {
        let security = Self {
            client: security(settings, "")?,
            peer: security(settings, "peer-")?,
            offer: offer(settings)?,
            validity_years: number(settings, "self-signed-cert-validity")?,
        };
        ensure!(
            security.validity_years > 0 || !(security.client.auto || security.peer.auto),
            "selfSignedCertValidity is invalid,it should be greater than 0"
        );
        Ok(security)
    }
}

impl Security {
    /// Whether a client must show a certificate (etcd ServerConfig: either flag is enough).
    pub fn demands_certificates(&self) -> bool {
        self.cert_auth || self.authorities.is_some()
    }
}

fn security(settings: &Settings, prefix: &str) -> Result<Security> {
    let file = |name: &str| {
        Some(settings.get(name))
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)
    };
    let named = |name: &str| file(&format!("{prefix}{name}"));
    let own = pair(
        "KeyFile and CertFile must both be present",
        named("cert-file"),
        named("key-file"),
    )?;
    let both = "ClientKeyFile and ClientCertFile must both be present or both absent";
    Ok(Security {
        auto: switch(settings, &format!("{prefix}auto-tls"))? && own.is_none(),
        own,
        dialling: pair(both, named("client-cert-file"), named("client-key-file"))?,
        authorities: named("trusted-ca-file"),
        cert_auth: switch(settings, &format!("{prefix}client-cert-auth"))?,
        revoked: if prefix.is_empty() {
            file("client-crl-file")
        } else {
            named("crl-file")
        },
        allowed: allowed(settings, if prefix.is_empty() { "client" } else { "peer" })?,
        skip_names: prefix.is_empty() || switch(settings, "peer-skip-client-san-verification")?,
    })
}

pub fn pair(both: &str, cert: Option<PathBuf>, key: Option<PathBuf>) -> Result<Option<KeyPair>> {
    match (cert, key) {
        (Some(cert), Some(key)) => Ok(Some(KeyPair { cert, key })),
        (cert, key) => {
            let shown = |path: &Option<PathBuf>| path.clone().unwrap_or_default().display().to_string();
            ensure!(
                cert.is_none() && key.is_none(),
                "{both}[key: {}, cert: {}]",
                shown(&key),
                shown(&cert)
            );
            Ok(None)
        }
    }
}

fn allowed(settings: &Settings, whose: &str) -> Result<Allowed> {
    let list = |name: &str| words(settings.get(&format!("{whose}-cert-allowed-{name}")));
    let (names, hosts) = (list("cn"), list("hostname"));
    ensure!(
        names.is_empty() || hosts.is_empty(),
        "AllowedCNs and AllowedHostnames are mutually exclusive (cns={names:?}, hostnames={hosts:?})"
    );
    Ok(match (names.is_empty(), hosts.is_empty()) {
        (false, _) => Allowed::CommonNames(names),
        (_, false) => Allowed::Hosts(hosts),
        _ => Allowed::Anybody,
    })
}

fn words(list: &str) -> Vec<String> {
    let words = list.split(',').map(str::trim).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

pub(super) fn offer(settings: &Settings) -> Result<Offer> {
    let version = |name: &str| version(settings.get(name)).with_context(|| format!("--{name}"));
    let (min, max) = (version("tls-min-version")?, version("tls-max-version")?);
    let offer = Offer {
        min: min.unwrap_or(Version::V12),
        max: max.unwrap_or(Version::V13),
        suites: words(settings.get("cipher-suites")),
    };
    ensure!(
        offer.min <= offer.max,
        "min version ({}) is greater than max version ({})",
        settings.get("tls-min-version"),
        settings.get("tls-max-version")
    );
    ensure!(
        offer.min < Version::V13 || offer.suites.is_empty(),
        "cipher suites cannot be configured when only TLS1.3 is enabled"
    );
    Ok(offer)
}

pub fn version(name: &str) -> Result<Option<Version>> {
    match name {
        "" => Ok(None),
        "TLS1.2" => Ok(Some(Version::V12)),
        "TLS1.3" => Ok(Some(Version::V13)),
        other => anyhow::bail!("unexpected TLS version {other:?} (must be one of: TLS1.2, TLS1.3)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(words: &[&str]) -> Result<TlsConfig> {
        let settings = Settings::read(words.iter().map(|word| (*word).to_owned()), std::iter::empty())?;
        TlsConfig::new(&settings)
    }

    #[test]
    fn an_authority_alone_demands_certificates_but_takes_no_names_for_users() {
        let client = config(&["--trusted-ca-file=ca.pem"]).expect("valid").client;
        assert!(client.demands_certificates() && !client.cert_auth);
        assert!(!config(&[]).expect("valid").client.demands_certificates());
        assert!(
            config(&["--client-cert-auth"])
                .expect("valid")
                .client
                .demands_certificates()
        );
    }

    #[test]
    fn given_certificates_beat_made_ones() {
        let both = config(&["--auto-tls", "--cert-file=c", "--key-file=k"]).expect("valid");
        assert!(!both.client.auto && both.client.own.is_some());
        assert!(config(&["--peer-auto-tls"]).expect("valid").peer.auto);
    }

    #[test]
    fn names_are_lists() {
        let peer = config(&["--peer-cert-allowed-cn=a, b"]).expect("valid").peer;
        assert_eq!(peer.allowed, Allowed::CommonNames(vec!["a".into(), "b".into()]));
        let client = config(&["--client-cert-allowed-hostname=10.0.0.1"])
            .expect("valid")
            .client;
        assert_eq!(client.allowed, Allowed::Hosts(vec!["10.0.0.1".into()]));
    }

    #[test]
    fn contradictions_are_refused_in_etcds_words() {
        for (words, text) in [
            (
                &["--cert-file=c"][..],
                "KeyFile and CertFile must both be present[key: , cert: c]",
            ),
            (&["--peer-client-key-file=k"], "must both be present or both absent"),
            (
                &["--peer-cert-allowed-cn=a", "--peer-cert-allowed-hostname=b"],
                "are mutually exclusive",
            ),
            (
                &["--tls-min-version=TLS1.1"],
                "unexpected TLS version \"TLS1.1\" (must be one of: TLS1.2, TLS1.3)",
            ),
            (
                &["--tls-min-version=TLS1.3", "--tls-max-version=TLS1.2"],
                "min version (TLS1.3) is greater than max version (TLS1.2)",
            ),
            (
                &["--tls-min-version=TLS1.3", "--cipher-suites=x"],
                "cipher suites cannot be configured when only TLS1.3 is enabled",
            ),
            (
                &["--auto-tls", "--self-signed-cert-validity=0"],
                "selfSignedCertValidity is invalid",
            ),
        ] {
            let error = format!("{:#}", config(words).expect_err(text));
            assert!(error.contains(text), "{error}");
        }
    }
}
