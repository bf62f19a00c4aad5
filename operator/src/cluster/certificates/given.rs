//! Certificates that somebody else makes, in Secrets that the EtcdCluster names: read and judged, never written.

use k8s_openapi::api::core::v1::Secret;

use super::keeper::{Keeper, hash};
use super::operator::{pair_in, tls};
use super::{CertificatesError, SurfaceCertificates, Surfaced};
use crate::etcd::ClientTls;
use crate::names::Surface;
use crate::pki::{Flaw, Pair, Step, Use, check, facts};
use crate::secrets::text;

pub(super) async fn keep(keeper: &mut Keeper<'_>, surface: Surface) -> Result<Option<Surfaced>, CertificatesError> {
    let Some(secrets) = keeper.source(surface).secrets.clone() else {
        keeper.problem("SecretsNotNamed", format!("set spec.tls.{}.secrets", surface.word()));
        return Ok(None);
    };
    let server = given(keeper, &secrets.server).await?;
    match (surface, secrets.client) {
        (Surface::Peer, _) => Ok(server.and_then(|server| peers(keeper, &server))),
        (Surface::Client, Some(name)) => {
            let client = given(keeper, &name).await?;
            Ok(server
                .zip(client)
                .and_then(|(server, client)| clients(keeper, &server, &client, &client)))
        }
        (Surface::Client, None) => {
            keeper.problem(
                "SecretsNotNamed",
                "set spec.tls.client.secrets.client: the operator is a client too",
            );
            Ok(None)
        }
    }
}

/// A Secret with the three keys that it must have.
pub(super) struct Given {
    pub name: String,
    pub authorities: String,
    pub pair: Pair,
}

async fn given(keeper: &mut Keeper<'_>, name: &str) -> Result<Option<Given>, CertificatesError> {
    let Some(secret) = keeper.secrets.read(name).await? else {
        keeper.problem(
            "SecretMissing",
            format!("there is no Secret {name}: make it, with ca.crt, tls.crt and tls.key"),
        );
        return Ok(None);
    };
    Ok(read(keeper, name, &secret))
}

pub(super) fn read(keeper: &mut Keeper<'_>, name: &str, secret: &Secret) -> Option<Given> {
    let missing: Vec<_> = ["ca.crt", "tls.crt", "tls.key"]
        .into_iter()
        .filter(|key| text(secret, key).is_none())
        .collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        keeper.problem("SecretIncomplete", format!("Secret {name} lacks {missing} (PEM)"));
    }
    Some(Given {
        name: name.into(),
        authorities: text(secret, "ca.crt")?,
        pair: pair_in(secret)?,
    })
}

/// Members serve each other and ask each other with the same certificate.
pub(super) fn peers(keeper: &mut Keeper<'_>, server: &Given) -> Option<Surfaced> {
    note(keeper, "peer", server);
    let both = [Use::Server(keeper.member_hosts()), Use::Client];
    let good = both.iter().all(|what| judge(keeper, server, &server.authorities, what));
    good.then(|| surfaced(server, None, None))
}

/// Servers show `server` and trust its authorities; the operator and applications show theirs and trust theirs.
pub(super) fn clients(
    keeper: &mut Keeper<'_>,
    server: &Given,
    operator: &Given,
    application: &Given,
) -> Option<Surfaced> {
    note(keeper, "server", server);
    note(keeper, "operator", operator);
    note(keeper, "client", application);
    let serves = Use::Server(keeper.member_hosts());
    let good = judge(keeper, server, &operator.authorities, &serves)
        & judge(keeper, operator, &server.authorities, &Use::Client)
        & (operator.name == application.name || judge(keeper, application, &server.authorities, &Use::Client));
    let shown = |given: &Given| Some(tls(&given.authorities, given.pair.clone()));
    good.then(|| surfaced(server, shown(operator), shown(application)))
}

fn surfaced(server: &Given, access: Option<ClientTls>, application: Option<ClientTls>) -> Surfaced {
    Surfaced {
        certificates: SurfaceCertificates {
            secret: server.name.clone(),
            authorities_hash: hash(&server.authorities),
            probe: None,
            shows: None,
            bundled_since: None,
        },
        access,
        application,
    }
}

fn note(keeper: &mut Keeper<'_>, shown_as: &str, given: &Given) {
    keeper.note(shown_as, &given.pair, Step::Steady);
    keeper.look_again(facts(&given.pair.certificate).ok().map(|read| read.not_after));
}

fn judge(keeper: &mut Keeper<'_>, given: &Given, authorities: &str, what: &Use) -> bool {
    match check(&given.pair, authorities, what, keeper.now) {
        Ok(_) => true,
        Err(flaw) => {
            let (reason, advice) = advice(keeper, &flaw);
            let message = format!(
                "the certificate in Secret {} cannot be used: {flaw}; {advice}",
                given.name
            );
            keeper.problem(reason, message);
            false
        }
    }
}

fn advice(keeper: &Keeper<'_>, flaw: &Flaw) -> (&'static str, String) {
    let said = |advice: &str| advice.to_owned();
    match flaw {
        Flaw::Expired(_) => ("CertificateExpired", said("renew it")),
        Flaw::NotYetValid(_) => (
            "CertificateNotYetValid",
            said("wait, or look at the clock of who made it"),
        ),
        Flaw::NotForName(_) => {
            let wildcard = keeper.names.service_host(&keeper.names.peer_service());
            ("CertificateWrongNames", format!("make it for *.{wildcard}"))
        }
        Flaw::NotForUse(usage) => (
            "CertificateWrongUsage",
            format!("add {usage} to its extended key usage"),
        ),
        Flaw::NotSigned => (
            "CertificateNotTrusted",
            said("put the authority that signed it into ca.crt"),
        ),
        Flaw::KeyDoesNotFit => ("CertificateKeyMismatch", said("put its own key into tls.key")),
        Flaw::NoCertificate | Flaw::BrokenPem(_) => ("CertificateUnreadable", said("put PEM into tls.crt")),
        Flaw::BrokenKey(_) => (
            "CertificateUnreadable",
            said("put an ECDSA, Ed25519 or RSA key as PEM into tls.key"),
        ),
        Flaw::Authorities(_) => ("CertificateUnreadable", said("put PEM into ca.crt")),
        Flaw::Other(_) => ("CertificateRefused", said("make it anew")),
    }
}
