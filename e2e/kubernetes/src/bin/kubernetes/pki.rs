//! The cluster's authority and the certificates of everybody in it.

use std::net::IpAddr;

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::network;
use crate::state::State;

type Authority = CertifiedIssuer<'static, KeyPair>;

const API_NAMES: [&str; 5] = [
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
];
/// Who the components are to the API server: file, organization, common name.
const CLIENTS: [(&str, &str, &str); 5] = [
    ("admin", "system:masters", "admin"),
    ("kubelet-client", "system:masters", "apiserver-kubelet-client"),
    ("controller-manager", "", "system:kube-controller-manager"),
    ("scheduler", "", "system:kube-scheduler"),
    ("proxy", "", "system:kube-proxy"),
];

/// Once per state folder: what was issued stays valid over `down` and `up`, also if there are more nodes then.
pub fn issue_all(state: &State) -> Result<()> {
    if state.exists("pki/done") {
        return Ok(());
    }
    let authority = authority(state)?;
    let addresses = ["127.0.0.1", network::CONTROL, network::API_SERVICE];
    issue(
        state,
        &authority,
        "apiserver",
        ("", "kube-apiserver"),
        &API_NAMES,
        &addresses,
    )?;
    for (file, organization, name) in CLIENTS {
        issue(state, &authority, file, (organization, name), &[], &[])?;
    }
    for node in 1..=network::NODES_MAX {
        let name = format!("node{node}");
        let subject = ("system:nodes", &*format!("system:node:{name}"));
        issue(
            state,
            &authority,
            &format!("kubelet.{name}"),
            subject,
            &[&name],
            &[&network::address(node)],
        )?;
    }
    let tokens = KeyPair::generate()?;
    state.write("pki/tokens.key", &tokens.serialize_pem())?;
    state.write("pki/tokens.pub", &tokens.public_key_pem())?;
    state.write("pki/done", "")?;
    Ok(())
}

fn authority(state: &State) -> Result<Authority> {
    let mut params = CertificateParams::new(Vec::new())?;
    params
        .distinguished_name
        .push(DnType::CommonName, "taffrail-kubernetes");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    let key = KeyPair::generate()?;
    state.write("pki/ca.key", &key.serialize_pem())?;
    let authority = CertifiedIssuer::self_signed(params, key)?;
    state.write("pki/ca.crt", &authority.pem())?;
    Ok(authority)
}

/// For both sides of a connection. An empty organization is none.
fn issue(
    state: &State,
    authority: &Authority,
    file: &str,
    subject: (&str, &str),
    names: &[&str],
    addresses: &[&str],
) -> Result<()> {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
    for address in addresses {
        params
            .subject_alt_names
            .push(SanType::IpAddress(address.parse::<IpAddr>()?));
    }
    if !subject.0.is_empty() {
        params.distinguished_name.push(DnType::OrganizationName, subject.0);
    }
    params.distinguished_name.push(DnType::CommonName, subject.1);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate()?;
    state.write(&format!("pki/{file}.crt"), &params.signed_by(&key, authority)?.pem())?;
    state.write(&format!("pki/{file}.key"), &key.serialize_pem())?;
    Ok(())
}
