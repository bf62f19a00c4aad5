//! What a certificate says, in the terms of Go's crypto/x509, which etcd's users know.

use std::net::IpAddr;

use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::config::Allowed;

/// Where the certificate may be used, and whose it is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    pub ips: Vec<IpAddr>,
    pub dns: Vec<String>,
}

pub(super) fn parse<'a>(der: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    Some(X509Certificate::from_der(der).ok()?.1)
}

/// The subject's last common name, or nothing.
pub(super) fn common_name(der: &CertificateDer<'_>) -> String {
    let Some(certificate) = parse(der) else {
        return String::new();
    };
    let last = certificate.subject().iter_common_name().last();
    last.and_then(|name| name.as_str().ok()).unwrap_or_default().to_owned()
}

pub(super) fn names(der: &CertificateDer<'_>) -> Names {
    let mut names = Names::default();
    let Some(certificate) = parse(der) else { return names };
    let Ok(Some(listed)) = certificate.subject_alternative_name() else {
        return names;
    };
    for name in &listed.value.general_names {
        match name {
            GeneralName::DNSName(name) => names.dns.push((*name).to_owned()),
            GeneralName::IPAddress(bytes) => names.ips.extend(ip(bytes)),
            _ => {}
        }
    }
    names
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// Whether a host by this name or address may show the certificate.
pub(super) fn is_for(der: &CertificateDer<'_>, host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let (Ok(parsed), Ok(host)) = (ParsedCertificate::try_from(der), ServerName::try_from(host)) else {
        return false;
    };
    verify_server_name(&parsed, &host).is_ok()
}

/// Whether it speaks of somebody who may connect. The error is sent to the other side as `bad certificate`, as etcd's is.
pub(super) fn check_allowed(allowed: &Allowed, der: &CertificateDer<'_>) -> Result<(), Error> {
    let fits = match allowed {
        Allowed::Anybody => true,
        Allowed::CommonNames(names) => names.contains(&common_name(der)),
        Allowed::Hosts(hosts) => hosts.iter().any(|host| is_for(der, host)),
    };
    if fits {
        Ok(())
    } else {
        Err(CertificateError::NotValidForName.into())
    }
}

/// Why it is not, in Go's words.
pub(super) fn not_for(names: &Names, host: &str) -> String {
    let valid: Vec<String> = if host.parse::<IpAddr>().is_ok() {
        if names.ips.is_empty() {
            return format!("x509: cannot validate certificate for {host} because it doesn't contain any IP SANs");
        }
        names.ips.iter().map(ToString::to_string).collect()
    } else {
        names.dns.clone()
    };
    if valid.is_empty() {
        return format!("x509: certificate is not valid for any names, but wanted to match {host}");
    }
    format!("x509: certificate is valid for {}, not {host}", valid.join(", "))
}

/// Which side of a connection shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// Whether its time has come and is not over, and it is for this side, as far as it says.
pub(super) fn is_usable(der: &CertificateDer<'_>, side: Side) -> bool {
    parse(der).is_some_and(|certificate| {
        let usage = certificate.extended_key_usage().ok().flatten();
        let fits = usage.is_none_or(|usage| match side {
            Side::Client => usage.value.any || usage.value.client_auth,
            Side::Server => usage.value.any || usage.value.server_auth,
        });
        fits && certificate.validity().is_valid()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(hosts: &[&str], common_name: &str) -> CertificateDer<'static> {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = rcgen::CertificateParams::new(hosts).expect("names");
        params.distinguished_name.push(rcgen::DnType::CommonName, common_name);
        let key = rcgen::KeyPair::generate().expect("a key");
        params.self_signed(&key).expect("signed").der().clone()
    }

    #[test]
    fn names_are_found() {
        let certificate = certificate(&["127.0.0.1", "::1", "a.example", "*.b.example"], "root");
        let expected = Names {
            ips: vec!["127.0.0.1".parse().expect("ip"), "::1".parse().expect("ip")],
            dns: vec!["a.example".into(), "*.b.example".into()],
        };
        assert_eq!(names(&certificate), expected);
        assert_eq!(common_name(&certificate), "root");
        for (host, fits) in [
            ("127.0.0.1", true),
            ("[::1]", true),
            ("x.b.example", true),
            ("b.example", false),
        ] {
            assert_eq!(is_for(&certificate, host), fits, "{host}");
        }
    }

    #[test]
    fn only_allowed_names_pass() {
        let certificate = certificate(&["a.example"], "root");
        let list = |name: &str| vec!["other".to_owned(), name.to_owned()];
        for (allowed, passes) in [
            (Allowed::Anybody, true),
            (Allowed::CommonNames(list("root")), true),
            (Allowed::CommonNames(list("a.example")), false),
            (Allowed::Hosts(list("a.example")), true),
            (Allowed::Hosts(list("root")), false),
        ] {
            assert_eq!(check_allowed(&allowed, &certificate).is_ok(), passes, "{allowed:?}");
        }
    }

    #[test]
    fn refusals_are_gos() {
        let (both, none) = (names(&certificate(&["127.0.0.1", "a.example"], "")), Names::default());
        assert_eq!(
            not_for(&both, "10.0.0.1"),
            "x509: certificate is valid for 127.0.0.1, not 10.0.0.1"
        );
        assert_eq!(not_for(&both, "b"), "x509: certificate is valid for a.example, not b");
        assert!(not_for(&none, "b").ends_with("not valid for any names, but wanted to match b"));
        assert!(not_for(&none, "::1").ends_with("for ::1 because it doesn't contain any IP SANs"));
    }
}
