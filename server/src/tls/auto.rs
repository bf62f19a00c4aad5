//! Certificates that a member makes for itself (etcd transport.SelfCert).

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair as Key, KeyUsagePurpose,
};

use crate::config::KeyPair;

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// The pair in `folder`, which stays the same once it is there.
pub(super) fn certificate(folder: &Path, hosts: &[String], years: u32) -> Result<KeyPair> {
    let folder = std::path::absolute(folder)?;
    let pair = KeyPair {
        cert: folder.join("cert.pem"),
        key: folder.join("key.pem"),
    };
    if !(pair.cert.exists() && pair.key.exists()) {
        make(&pair, &folder, hosts, years)
            .with_context(|| format!("cannot make certificates in {}", folder.display()))?;
    }
    Ok(pair)
}

fn make(pair: &KeyPair, folder: &Path, hosts: &[String], years: u32) -> Result<()> {
    let key = Key::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let signed = params(hosts, years)?.self_signed(&key)?;
    std::fs::create_dir_all(folder)?;
    // The key comes last: a pair is complete when it is there.
    write(&pair.cert, &signed.pem(), 0o644)?;
    write(&pair.key, &key.serialize_pem(), 0o600)?;
    tracing::warn!(folder = %folder.display(), years, "automatically generate certificates");
    Ok(())
}

fn params(hosts: &[String], years: u32) -> Result<CertificateParams> {
    let mut hosts = hosts.to_vec();
    hosts.sort();
    hosts.dedup();
    let mut params = CertificateParams::new(hosts)?;
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, "etcd");
    params.distinguished_name = name;
    let now = SystemTime::now();
    params.not_before = now.into();
    params.not_after = (now + YEAR * years).into();
    // etcd's claims to be an authority, which keeps stricter clients from trusting the file.
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(mode)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    Ok(file.sync_all()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::certificate::{self as reading, Side};
    use crate::tls::files;

    #[test]
    fn a_made_pair_is_for_its_hosts_and_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let hosts = ["127.0.0.1".to_owned(), "localhost".to_owned(), "127.0.0.1".to_owned()];
        let pair = certificate(folder.path(), &hosts, 1).expect("made");
        let first = files::certificates(&pair.cert).expect("readable");
        assert!(reading::is_for(&first[0], "127.0.0.1") && reading::is_for(&first[0], "localhost"));
        assert!(reading::is_usable(&first[0], Side::Server) && reading::is_usable(&first[0], Side::Client));
        assert_eq!(certificate(folder.path(), &[], 1).expect("found"), pair);
        assert_eq!(files::certificates(&pair.cert).expect("readable"), first);
        files::certified(&pair, &rustls::crypto::ring::default_provider()).expect("key and certificate fit");
    }
}
