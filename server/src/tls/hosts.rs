//! Whether a peer's certificate fits to where the peer comes from (etcd transport, checkCertSAN).

use std::net::IpAddr;

use rustls::pki_types::CertificateDer;

use super::certificate::{self, Names};

/// # Errors
/// etcd's words for a certificate whose names do not lead to `remote`. One without names fits everywhere.
pub(super) async fn check(certificate: &CertificateDer<'_>, remote: IpAddr) -> Result<(), String> {
    let names = certificate::names(certificate);
    let remote = remote.to_canonical();
    if names == Names::default() || names.ips.contains(&remote) {
        return Ok(());
    }
    if names.dns.is_empty() {
        return Err(certificate::not_for(&names, &remote.to_string()));
    }
    if is_named(remote, &names.dns).await {
        return Ok(());
    }
    let listed: Vec<String> = names.dns.iter().map(|name| format!("{name:?}")).collect();
    Err(format!(
        "tls: \"{remote}\" does not match any of DNSNames [{}]",
        listed.join(" ")
    ))
}

/// By the name that the address has, else by the addresses that the names have.
async fn is_named(remote: IpAddr, names: &[String]) -> bool {
    let reverse = tokio::task::spawn_blocking(move || dns_lookup::lookup_addr(&remote)).await;
    if let Ok(Ok(found)) = reverse
        && names.iter().any(|name| covers(name, found.trim_end_matches('.')))
    {
        return true;
    }
    for name in names.iter().filter(|name| !name.starts_with("*.")) {
        if let Ok(mut found) = tokio::net::lookup_host((name.as_str(), 0)).await
            && found.any(|address| address.ip().to_canonical() == remote)
        {
            return true;
        }
    }
    false
}

/// A wildcard covers everything below it here, as in etcd.
fn covers(name: &str, found: &str) -> bool {
    match name.strip_prefix('*') {
        Some(end) if end.starts_with('.') => found.ends_with(end),
        _ => name == found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn checked(hosts: &[&str], remote: &str) -> Result<(), String> {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(hosts).expect("a certificate");
        check(made.cert.der(), remote.parse().expect("an address")).await
    }

    #[tokio::test]
    async fn an_address_must_be_in_the_certificate() {
        assert_eq!(checked(&["127.0.0.1"], "127.0.0.1").await, Ok(()));
        assert_eq!(checked(&["127.0.0.1"], "::ffff:127.0.0.1").await, Ok(()));
        let refused = Err("x509: certificate is valid for 127.0.0.1, not 192.0.2.1".to_owned());
        assert_eq!(checked(&["127.0.0.1"], "192.0.2.1").await, refused);
        assert_eq!(checked(&[], "192.0.2.1").await, Ok(()), "no names, no demand");
    }

    #[tokio::test]
    async fn a_name_must_lead_to_the_address() {
        assert_eq!(checked(&["localhost"], "127.0.0.1").await, Ok(()));
        let refused = Err("tls: \"192.0.2.1\" does not match any of DNSNames [\"localhost\"]".to_owned());
        assert_eq!(checked(&["localhost"], "192.0.2.1").await, refused);
    }

    #[test]
    fn wildcards_cover_what_is_below_them() {
        assert!(covers("*.etcd.local", "m1.etcd.local"));
        assert!(!covers("*.etcd.local", "etcd.local"));
        assert!(covers("etcd.local", "etcd.local"));
    }
}
