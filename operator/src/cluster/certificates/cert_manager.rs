//! Certificates by an issuer of cert-manager: asked for here, made there, judged here.

use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};
use taffrail_crds::{CLUSTER, CertManager};

use super::given::{Given, clients, peers, read};
use super::keeper::Keeper;
use super::operator::tls;
use super::{CertificatesError, Surfaced, subjects};
use crate::names::{FIELD_MANAGER, Surface};
use crate::pki::Leaf;
use crate::secrets::{Found, not_ours};

pub(super) async fn keep(keeper: &mut Keeper<'_>, surface: Surface) -> Result<Option<Surfaced>, CertificatesError> {
    let source = keeper.source(surface);
    let Some(issuer) = source.cert_manager.clone() else {
        keeper.problem("IssuerNotNamed", format!("set spec.tls.{}.certManager", surface.word()));
        return Ok(None);
    };
    let life = keeper.leaf_life(surface);
    let member = subjects::member(&keeper.names, surface, &source.extra_names, life);
    let mounted = keeper.names.member_secret(surface);
    let server = issued(keeper, &mounted, &member, &issuer).await?;
    if surface == Surface::Peer {
        let peers = server.and_then(|server| peers(keeper, &server).map(|surfaced| (server, surfaced)));
        return hand_on(keeper, &mounted, peers).await;
    }
    let operator = issued(
        keeper,
        &keeper.names.operator_secret(),
        &subjects::operator(life),
        &issuer,
    )
    .await?;
    let wanted = subjects::application(&keeper.names, life);
    let application = issued(keeper, &keeper.names.application_secret(), &wanted, &issuer).await?;
    let (Some(server), Some(operator), Some(application)) = (server, operator, application) else {
        return Ok(None);
    };
    let clients = clients(keeper, &server, &operator, &application).map(|surfaced| (server, surfaced));
    hand_on(keeper, &mounted, clients).await
}

/// What was judged to be good is copied to the Secret that members mount, whatever mode made it: members never meet
/// an issue that is broken or half done.
async fn hand_on(
    keeper: &mut Keeper<'_>,
    mounted: &str,
    judged: Option<(Given, Surfaced)>,
) -> Result<Option<Surfaced>, CertificatesError> {
    let Some((server, mut surfaced)) = judged else {
        return Ok(None);
    };
    let before = match keeper.secrets.find(mounted).await? {
        Found::Theirs(problem) => {
            keeper.problems.push(problem);
            return Ok(None);
        }
        Found::Ours(secret) => Some(secret),
        Found::Absent => None,
    };
    let data = super::application::data(&tls(&server.authorities, server.pair));
    keeper.secrets.keep(mounted, before.as_deref(), data).await?;
    surfaced.certificates.secret = mounted.into();
    Ok(Some(surfaced))
}

/// What cert-manager makes has names of its own, so that it and the operator never write the same Secret.
fn issued_name(name: &str) -> String {
    format!("{name}-issued")
}

async fn issued(
    keeper: &mut Keeper<'_>,
    name: &str,
    leaf: &Leaf,
    issuer: &CertManager,
) -> Result<Option<Given>, CertificatesError> {
    let name = issued_name(name);
    if !ask(keeper, &name, leaf, issuer).await? {
        return Ok(None);
    }
    match keeper.secrets.read(&name).await? {
        Some(secret) => Ok(read(keeper, &name, &secret)),
        None => {
            keeper.problem("CertificatesPending", pending(&name));
            Ok(None)
        }
    }
}

fn pending(name: &str) -> String {
    format!("cert-manager has not made Secret {name} yet: `kubectl describe certificate {name}` tells why")
}

/// Whether the Certificate is there as it should be.
async fn ask(
    keeper: &mut Keeper<'_>,
    name: &str,
    leaf: &Leaf,
    issuer: &CertManager,
) -> Result<bool, CertificatesError> {
    let api = certificates(keeper);
    let there = match api.get(name).await {
        Ok(there) => Some(there),
        // Also if the whole kind is not there, which is found out below.
        Err(kube::Error::Api(status)) if status.code == 404 => None,
        Err(error) => return Err(error.into()),
    };
    if there.is_some_and(|there| !keeper.secrets.owns(&there.metadata)) {
        keeper.problems.push(not_ours("Certificate", name));
        return Ok(false);
    }
    let wanted = Patch::Apply(certificate(keeper, name, leaf, issuer));
    let as_manager = PatchParams::apply(FIELD_MANAGER).force();
    match api.patch(name, &as_manager, &wanted).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 404 => {
            not_installed(keeper);
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

fn not_installed(keeper: &mut Keeper<'_>) {
    if !keeper
        .problems
        .iter()
        .any(|problem| problem.reason == "CertManagerNotInstalled")
    {
        keeper.problem(
            "CertManagerNotInstalled",
            "the API server knows no Certificate of cert-manager.io/v1: install cert-manager or use another mode of TLS",
        );
    }
}

fn certificates(keeper: &Keeper<'_>) -> Api<DynamicObject> {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("cert-manager.io", "v1", "Certificate"));
    Api::namespaced_with(keeper.context.client.clone(), &keeper.names.namespace, &kind)
}

fn certificate(keeper: &Keeper<'_>, name: &str, leaf: &Leaf, issuer: &CertManager) -> Value {
    let issuer = &issuer.issuer_ref;
    let hours = (leaf.life.as_secs() / 3600).max(3);
    let (addresses, hosts): (Vec<_>, Vec<_>) = leaf
        .names
        .iter()
        .partition(|name| name.parse::<std::net::IpAddr>().is_ok());
    let usages: &[&str] = match leaf.serves {
        true => &["digital signature", "server auth", "client auth"],
        false => &["digital signature", "client auth"],
    };
    json!({
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": keeper.secrets.metadata(name),
        "spec": {
            "secretName": name,
            // By it a renewal is noticed when it happens.
            "secretTemplate": {"labels": {CLUSTER: keeper.names.cluster}},
            "commonName": leaf.common_name,
            "dnsNames": hosts,
            "ipAddresses": addresses,
            "usages": usages,
            "duration": format!("{hours}h0m0s"),
            "renewBefore": format!("{}h0m0s", hours / 3),
            "privateKey": {"algorithm": "ECDSA", "size": 256, "encoding": "PKCS8", "rotationPolicy": "Always"},
            "issuerRef": {"name": issuer.name, "kind": issuer.kind, "group": issuer.group},
        },
    })
}
