//! Certificates and passwords of one look: how the operator gets in, and what pods mount.

use taffrail_crds::{CertificateStatus, EtcdCluster, TlsSource};

use super::Error;
use super::auth::{self, AuthState};
use super::build::Mounts;
use super::certificates::{self, Certificates, SurfaceCertificates, Trust};
use super::observe::{Member, Observed};
use crate::context::Context;
use crate::etcd::Endpoint;
use crate::names::{Names, Surface};
use crate::problem::Problem;

/// Secrets that pods mount. They follow from what is declared alone, so that a Secret that is broken for a while never
/// looks like a change. Between members TLS stays for as long as a member is reached by it.
pub fn mounts(cluster: &EtcdCluster, names: &Names, members: &[Member]) -> Mounts {
    let tls = &cluster.spec.tls;
    let speaks_tls = members
        .iter()
        .any(|member| member.record.spec.peer_url.starts_with("https://"));
    Mounts {
        client: secret(&tls.client, names, Surface::Client).filter(|_| tls.client.is_on()),
        peer: secret(&tls.peer, names, Surface::Peer).filter(|_| tls.peer.is_on() || speaks_tls),
    }
}

fn secret(source: &TlsSource, names: &Names, surface: Surface) -> Option<String> {
    let given = source.secrets.as_ref().map(|secrets| secrets.server.clone());
    given.or_else(|| Some(names.member_secret(surface)))
}

/// Keeps the certificates and notes in `seen` how to get in and what is wrong.
pub async fn certificates(context: &Context, seen: &mut Observed) -> Result<Vec<CertificateStatus>, Error> {
    let kept = certificates::keep(context, &seen.cluster, &Trust::default()).await?;
    adopt(seen, &kept);
    Ok(kept.statuses)
}

/// Asks members whether they trust, or show, what a rotation waits for; if they all do it goes on.
pub async fn rotate(
    context: &Context,
    seen: &mut Observed,
    before: Vec<CertificateStatus>,
) -> Result<Vec<CertificateStatus>, Error> {
    if before.iter().all(|one| one.rotation.is_none()) {
        return Ok(before);
    }
    let kept = certificates::keep(context, &seen.cluster, &Trust::default()).await?;
    let clients = refusing(context, seen, kept.client.as_ref(), Observed::endpoint).await;
    let peers = refusing(context, seen, kept.peer.as_ref(), Observed::peer_endpoint).await;
    seen.deaf = deaf(seen, kept.client.as_ref(), &clients);
    seen.deaf.extend(deaf(seen, kept.peer.as_ref(), &peers));
    let all = |surface: &Option<SurfaceCertificates>, refusing: &[String]| {
        let asked = surface.as_ref().is_some_and(|one| one.probe.is_some());
        asked && refusing.is_empty() && !seen.members.is_empty()
    };
    let (client, peers) = (all(&kept.client, &clients), all(&kept.peer, &peers));
    let signed = |surface: &Option<SurfaceCertificates>| surface.as_ref().is_some_and(|one| one.shows.is_some());
    let trust = Trust {
        client_trusts_next: client && !signed(&kept.client),
        peers_trust_next: peers && !signed(&kept.peer),
        members_show_next_client: client && signed(&kept.client),
        members_show_next_peer: peers && signed(&kept.peer),
    };
    if trust == Trust::default() {
        return Ok(kept.statuses);
    }
    let kept = certificates::keep(context, &seen.cluster, &trust).await?;
    adopt(seen, &kept);
    Ok(kept.statuses)
}

type Place = fn(&Observed, &Member) -> Option<Endpoint>;

/// Seconds that a member has to load a file that changed: Kubernetes brings it within a minute or two.
const LOADING_SECONDS: i64 = 180;

/// Members that do not answer the probe. One that does not run starts with what is declared anyway, but is waited for:
/// it may be cut off and run on.
async fn refusing(context: &Context, seen: &Observed, surface: Option<&SurfaceCertificates>, at: Place) -> Vec<String> {
    let Some(probe) = surface.and_then(|one| one.probe.as_ref()) else {
        return Vec::new();
    };
    let mut refusing = Vec::new();
    for member in &seen.members {
        let answers = match at(seen, member) {
            Some(endpoint) => context.etcd.trusts(probe, &endpoint).await == Ok(true),
            None => false,
        };
        if !answers {
            refusing.push(member.name().to_owned());
        }
    }
    refusing
}

/// Those that run since before the next authority was there and have had their time: what they are reads its
/// authorities only when it starts.
fn deaf(seen: &Observed, surface: Option<&SurfaceCertificates>, refusing: &[String]) -> Vec<String> {
    let Some(since) = surface.and_then(|one| one.bundled_since) else {
        return Vec::new();
    };
    let started_before = |name: &&String| {
        let pod = seen.member(name).and_then(|member| member.running());
        let created = pod.and_then(|pod| pod.metadata.creation_timestamp.as_ref());
        created.is_some_and(|created| created.0 <= since)
    };
    let patient = seen.now.as_second() < since.as_second() + LOADING_SECONDS;
    refusing
        .iter()
        .filter(started_before)
        .filter(|_| !patient)
        .cloned()
        .collect()
}

fn adopt(seen: &mut Observed, kept: &Certificates) {
    seen.access.tls = kept.access.clone();
    let tls = &seen.cluster.spec.tls;
    let missing = (tls.client.is_on() && kept.client.is_none()) || (tls.peer.is_on() && kept.peer.is_none());
    let unknown = || Problem::new("CertificatesPending", "the certificates are not there yet");
    seen.blocked_pods = missing.then(|| kept.problems.first().cloned().unwrap_or_else(unknown));
    seen.problems.retain(|one| !kept.problems.contains(one));
    seen.problems.extend(kept.problems.iter().cloned());
}

/// Passwords, as far as they can be kept now.
pub async fn passwords(context: &Context, seen: &mut Observed) -> Result<bool, Error> {
    if seen.roster.is_err() || seen.cluster_id().is_none() {
        return Ok(was_enabled(seen));
    }
    let AuthState {
        enabled,
        user,
        problems,
    } = auth::keep(context, &seen.cluster, &seen.access, &seen.through()).await?;
    seen.access.user = user;
    seen.problems.extend(problems);
    Ok(enabled)
}

fn was_enabled(seen: &Observed) -> bool {
    seen.cluster.status.as_ref().is_some_and(|status| status.auth_enabled)
}
