//! Certificates by an authority of this cluster alone, kept and rotated here.

use super::keeper::{Keeper, hash};
use super::{CertificatesError, SurfaceCertificates, Surfaced, subjects};
use crate::etcd::ClientTls;
use crate::names::Surface;
use crate::pki::{self, Leaf, Pair, Rotation, Step, Stored, facts, issue, needs_renewal};
use crate::secrets::{Found, text};

pub(super) async fn keep(keeper: &mut Keeper<'_>, surface: Surface) -> Result<Option<Surfaced>, CertificatesError> {
    let Some(authority) = authority(keeper, surface).await? else {
        return Ok(None);
    };
    keeper.note(&format!("{}-ca", surface.word()), &authority.signing, authority.step);
    keeper.look_again(pki::next_due(&authority, keeper.context.settings.authority_overlap));
    let extra = &keeper.source(surface).extra_names;
    let wanted = subjects::member(&keeper.names, surface, extra, keeper.leaf_life(surface));
    let name = keeper.names.member_secret(surface);
    let Some(member) = leaf(keeper, &name, shown_as(surface), &wanted, &authority).await? else {
        return Ok(None);
    };
    let (operator, application) = asking(keeper, surface, &authority).await?;
    Ok(Some(Surfaced {
        certificates: SurfaceCertificates {
            secret: name,
            authorities_hash: hash(&authority.bundle),
            probe: probe(&authority, operator.as_ref().unwrap_or(&member)),
            shows: shows(&authority),
            bundled_since: authority.since.filter(|_| authority.step == Step::Bundled),
        },
        access: operator.map(|pair| tls(&authority.bundle, pair)),
        application: application.map(|pair| tls(&authority.bundle, pair)),
    }))
}

fn shown_as(surface: Surface) -> &'static str {
    match surface {
        Surface::Client => "server",
        Surface::Peer => "peer",
    }
}

/// Those who ask: the operator and applications.
async fn asking(
    keeper: &mut Keeper<'_>,
    surface: Surface,
    authority: &Stored,
) -> Result<(Option<Pair>, Option<Pair>), CertificatesError> {
    if surface == Surface::Peer {
        return Ok((None, None));
    }
    let life = keeper.leaf_life(surface);
    let name = keeper.names.operator_secret();
    let operator = leaf(keeper, &name, "operator", &subjects::operator(life), authority).await?;
    let application = for_applications(keeper, authority).await?;
    Ok((operator, application))
}

/// What applications show; it is stored together with the endpoints, by `application`.
async fn for_applications(keeper: &mut Keeper<'_>, authority: &Stored) -> Result<Option<Pair>, CertificatesError> {
    let wanted = subjects::application(&keeper.names, keeper.leaf_life(Surface::Client));
    let stored = match keeper.secrets.find(&keeper.names.application_secret()).await? {
        Found::Ours(secret) => pair_in(&secret),
        Found::Absent => None,
        // `application` says so.
        Found::Theirs(_) => return Ok(None),
    };
    renewed(keeper, "client", stored, &wanted, authority)
}

async fn authority(keeper: &mut Keeper<'_>, surface: Surface) -> Result<Option<Stored>, CertificatesError> {
    let name = keeper.names.authority_secret(surface);
    let wanted = rotation(keeper, surface);
    match keeper.secrets.find(&name).await? {
        Found::Absent => {
            let stored = pki::whole(left(keeper, surface).await?.as_deref(), &wanted)?;
            keeper.secrets.keep(&name, None, stored.to_data()).await?;
            Ok(Some(stored))
        }
        Found::Theirs(problem) => {
            keeper.problems.push(problem);
            Ok(None)
        }
        Found::Ours(secret) => match Stored::from_data(&crate::secrets::data_of(&secret)) {
            Ok(stored) => {
                let next = pki::advance(&stored, &wanted)?;
                let stored = next.unwrap_or(stored);
                keeper.secrets.keep(&name, Some(&secret), stored.to_data()).await?;
                Ok(Some(stored))
            }
            Err(flaw) => {
                keeper.problem("AuthorityUnreadable", unreadable(&name, &flaw));
                Ok(None)
            }
        },
    }
}

fn unreadable(name: &str, flaw: &pki::Flaw) -> String {
    format!(
        "the certificate authority in Secret {name} cannot be read: {flaw}. Restore it, or delete the Secret to have \
         a new authority take over step by step"
    )
}

/// What members trust although the authority is gone.
async fn left(keeper: &Keeper<'_>, surface: Surface) -> Result<Option<String>, CertificatesError> {
    Ok(match keeper.secrets.find(&keeper.names.member_secret(surface)).await? {
        Found::Ours(secret) => text(&secret, "ca.crt"),
        _ => None,
    })
}

fn rotation(keeper: &Keeper<'_>, surface: Surface) -> Rotation {
    let (all_trust_next, all_show_next) = match surface {
        Surface::Client => (keeper.trust.client_trusts_next, keeper.trust.members_show_next_client),
        Surface::Peer => (keeper.trust.peers_trust_next, keeper.trust.members_show_next_peer),
    };
    Rotation {
        name: format!("{} {} CA", keeper.names.cluster, surface.word()),
        life: keeper.authority_life(surface),
        asked: keeper.source(surface).ca_rotation.clone(),
        overlap: keeper.context.settings.authority_overlap,
        probe: probing(keeper, surface),
        all_trust_next,
        all_show_next,
        now: keeper.now,
    }
}

/// On the surface of peers the probe is a member's: etcd looks at the names of a peer that has some.
fn probing(keeper: &Keeper<'_>, surface: Surface) -> Leaf {
    let life = keeper.leaf_life(surface);
    match surface {
        Surface::Client => subjects::operator(life),
        Surface::Peer => Leaf::client("probe", life),
    }
}

/// Keeps a leaf in a Secret of its own.
async fn leaf(
    keeper: &mut Keeper<'_>,
    name: &str,
    shown_as: &str,
    wanted: &Leaf,
    authority: &Stored,
) -> Result<Option<Pair>, CertificatesError> {
    let before = match keeper.secrets.find(name).await? {
        Found::Theirs(problem) => {
            keeper.problems.push(problem);
            return Ok(None);
        }
        Found::Ours(secret) => Some(*secret),
        Found::Absent => None,
    };
    let stored = before.as_ref().and_then(pair_in);
    let Some(pair) = renewed(keeper, shown_as, stored, wanted, authority)? else {
        return Ok(None);
    };
    let data = super::application::data(&tls(&authority.bundle, pair.clone()));
    keeper.secrets.keep(name, before.as_ref(), data).await?;
    Ok(Some(pair))
}

/// The stored leaf if it still is what is wanted, or a new one.
fn renewed(
    keeper: &mut Keeper<'_>,
    shown_as: &str,
    stored: Option<Pair>,
    wanted: &Leaf,
    authority: &Stored,
) -> Result<Option<Pair>, CertificatesError> {
    let good = |pair: &Pair| pki::is_by(pair, &authority.signing, keeper.now);
    let pair = match stored {
        Some(pair) if !needs_renewal(wanted, Some(&pair), &authority.signing, keeper.now) => pair,
        Some(pair) if authority.signing.key.is_empty() && good(&pair) => pair,
        _ if authority.signing.key.is_empty() => {
            keeper.problem("AuthorityLost", lost(shown_as));
            return Ok(None);
        }
        _ => issue(&authority.signing, wanted, keeper.now)?,
    };
    keeper.note(shown_as, &pair, Step::Steady);
    keeper.look_again(pki::due(&pair));
    Ok(Some(pair))
}

fn lost(shown_as: &str) -> String {
    format!(
        "the certificate {shown_as} cannot be made: the key of its authority was lost; it comes once the next one signs"
    )
}

fn probe(authority: &Stored, current: &Pair) -> Option<ClientTls> {
    match authority.step {
        Step::Steady => None,
        Step::Bundled => authority.probe.clone().map(|pair| tls(&authority.bundle, pair)),
        Step::Signed => Some(tls(&authority.signing.certificate, current.clone())),
    }
}

fn shows(authority: &Stored) -> Option<String> {
    let read = facts(&authority.signing.certificate).ok()?;
    (authority.step == Step::Signed).then_some(read.fingerprint)
}

pub(super) fn tls(authorities: &str, pair: Pair) -> ClientTls {
    ClientTls {
        authorities: authorities.into(),
        certificate: pair.certificate,
        key: pair.key,
    }
}

pub(super) fn pair_in(secret: &k8s_openapi::api::core::v1::Secret) -> Option<Pair> {
    Some(Pair {
        certificate: text(secret, "tls.crt")?,
        key: text(secret, "tls.key")?,
    })
}
