//! Where the first members of a cluster are found, if nobody can name them.

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};

use super::tls::{Security, offer, pair};
use super::{pause, span, switch};
use crate::args::Settings;
use crate::remote::{Pings, RemoteConfig, User};

/// Another etcd, where the members of a cluster to come write themselves down.
#[derive(Debug, Clone)]
pub struct Discovery {
    pub token: String,
    pub registry: RemoteConfig,
}

/// A domain whose SRV records name the members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SrvDomain {
    pub domain: String,
    /// Stands behind the service's name; may be empty.
    pub suffix: String,
}

/// How the first members are known.
#[derive(Debug, Clone)]
pub enum Founding {
    /// The flags name them.
    Named,
    Discovered(Box<Discovery>),
    Resolved(SrvDomain),
}

impl Founding {
    /// # Errors
    /// Flags that contradict each other, in etcd's words (embed/config.go, Validate).
    pub fn new(settings: &Settings) -> Result<Self> {
        let given = |name: &str| !settings.get(name).trim().is_empty();
        let (endpoints, domain) = (given("discovery-endpoints"), given("discovery-srv"));
        let ways = [given("initial-cluster"), domain, endpoints];
        ensure!(
            ways.iter().filter(|way| **way).count() <= 1,
            "multiple discovery or bootstrap flags are set. Choose one of \"initial-cluster\", \"discovery\", \
             \"discovery-endpoints\" or \"discovery-srv\""
        );
        ensure!(
            given("discovery-token") == endpoints,
            "both --discovery-token and --discovery-endpoints must be set"
        );
        Ok(match (endpoints, domain) {
            (true, _) => Founding::Discovered(Box::new(discovery(settings)?)),
            (_, true) => Founding::Resolved(SrvDomain {
                domain: settings.get("discovery-srv").to_owned(),
                suffix: settings.get("discovery-srv-name").to_owned(),
            }),
            _ => Founding::Named,
        })
    }
}

fn discovery(settings: &Settings) -> Result<Discovery> {
    let mut endpoints: Vec<String> = Vec::new();
    for endpoint in settings.get("discovery-endpoints").split(',').map(str::trim) {
        ensure!(
            !endpoint.is_empty(),
            "--discovery-endpoints must not contain empty endpoints"
        );
        if !endpoints.iter().any(|known| known == endpoint) {
            endpoints.push(endpoint.to_owned());
        }
    }
    let pings = pause(settings, "discovery-keepalive-time")?;
    let timeout = span(settings, "discovery-keepalive-timeout")?;
    Ok(Discovery {
        token: settings.get("discovery-token").trim().to_owned(),
        registry: RemoteConfig {
            endpoints,
            security: security(settings)?,
            offer: offer(settings)?,
            user: User::parse(settings.get("discovery-user"), settings.get("discovery-password")),
            dial_max: span(settings, "discovery-dial-timeout")?,
            request_max: span(settings, "discovery-request-timeout")?,
            pings: pings.map(|interval| Pings {
                interval,
                timeout,
                while_idle: false,
            }),
        },
    })
}

/// etcd's order: files ask for TLS, or else `--discovery-insecure-transport=false`, or not to verify.
fn security(settings: &Settings) -> Result<Option<Security>> {
    let file = |name: &str| {
        Some(settings.get(name))
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)
    };
    let (cert, key) = (file("discovery-cert"), file("discovery-key"));
    let security = Security {
        dialling: pair("KeyFile and CertFile must both be present", cert, key)?,
        authorities: file("discovery-cacert"),
        auto: switch(settings, "discovery-insecure-skip-tls-verify")?,
        ..Security::default()
    };
    let plain = switch(settings, "discovery-insecure-transport")?;
    let asked = security.dialling.is_some() || security.authorities.is_some() || security.auto || !plain;
    Ok(asked.then_some(security))
}

/// Discovery of the first kind is not spoken.
pub fn refuse_v2(settings: &Settings) -> Result<()> {
    if !settings.get("discovery-proxy").is_empty() {
        bail!("--discovery-proxy belongs to v2 discovery, which is not supported; use --discovery-endpoints");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn founding(words: &[&str]) -> Result<Founding> {
        let settings = Settings::read(words.iter().map(|word| (*word).to_owned()), std::iter::empty())?;
        refuse_v2(&settings)?;
        Founding::new(&settings)
    }

    fn registry(words: &[&str]) -> RemoteConfig {
        let both = ["--discovery-token=t", "--discovery-endpoints=a:1,b:1,a:1"];
        match founding(&[&both, words].concat()).expect("valid") {
            Founding::Discovered(discovery) => discovery.registry,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_way_to_the_first_members_is_enough() {
        for (words, text) in [
            (
                &["--initial-cluster=a=http://a:1", "--discovery-srv=example.com"][..],
                "multiple discovery or bootstrap flags are set. Choose one of",
            ),
            (
                &["--discovery-token=t"],
                "both --discovery-token and --discovery-endpoints must be set",
            ),
            (&["--discovery-endpoints=a:1"], "both --discovery-token and"),
            (
                &["--discovery-token=t", "--discovery-endpoints=a:1,,b:1"],
                "--discovery-endpoints must not contain empty endpoints",
            ),
            (&["--discovery-proxy=http://a:1"], "v2 discovery"),
        ] {
            let error = founding(words).expect_err(text).to_string();
            assert!(error.contains(text), "{error}");
        }
    }

    #[test]
    fn files_ask_for_tls_and_so_do_two_switches() {
        assert!(registry(&[]).security.is_none());
        assert_eq!(registry(&[]).endpoints, ["a:1", "b:1"]);
        let secure = |word| registry(&[word]).security.expect(word);
        assert!(!secure("--discovery-insecure-transport=false").auto);
        assert!(secure("--discovery-insecure-skip-tls-verify").auto);
        assert!(secure("--discovery-cacert=ca.pem").authorities.is_some());
    }
}
