//! The certificates of one cluster: where they come from, whether they are good, and what has to be done about them.
//!
//! Enters: the cluster as declared and what is known of its members' trust. Leaves: what members mount, the
//! operator's own way in, and what is wrong, said so that a person can act. Always holds: a Secret of somebody else
//! is never written, and a certificate with a flaw is never handed out.

mod application;
mod cert_manager;
mod given;
mod keeper;
mod operator;
mod subjects;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use taffrail_crds::{CertificateStatus, EtcdCluster, TlsMode};

use crate::context::Context;
use crate::etcd::ClientTls;
use crate::names::Surface;
use crate::pki::PkiError;
use crate::problem::Problem;
use keeper::Keeper;

/// What the caller knows of those who rely on the certificates, found out with [`SurfaceCertificates::probe`] of the
/// last call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Trust {
    pub client_trusts_next: bool,
    pub peers_trust_next: bool,
    pub members_show_next_client: bool,
    pub members_show_next_peer: bool,
}

/// The certificates of one cluster.
#[derive(Clone, Default)]
pub struct Certificates {
    /// None if clients speak plain HTTP. None also if something is wrong with them, which is then among the problems:
    /// no member may be made or changed in the meantime.
    pub client: Option<SurfaceCertificates>,
    /// The same between members.
    pub peer: Option<SurfaceCertificates>,
    /// The operator's way in, if clients speak TLS.
    pub access: Option<ClientTls>,
    pub statuses: Vec<CertificateStatus>,
    pub problems: Vec<Problem>,
    /// When to look again, even if nothing else happens.
    pub next_due: Option<Timestamp>,
}

/// The certificates of one surface.
#[derive(Clone)]
pub struct SurfaceCertificates {
    /// The Secret that members mount: `ca.crt`, `tls.crt`, `tls.key`.
    pub secret: String,
    /// Of its `ca.crt`; etcd reads that once, when it starts.
    pub authorities_hash: String,
    /// While the rotation is Bundled: a leaf of the next authority, which a member accepts only if it trusts that one
    /// already. While it is Signed: trusts the new authority alone, so that a handshake succeeds only with a member
    /// that shows a leaf of it.
    pub probe: Option<ClientTls>,
    /// SHA-256 of the authority's certificate while the rotation is Signed.
    pub shows: Option<String>,
    /// Since when members could have loaded the next authority, while the rotation is Bundled.
    pub bundled_since: Option<Timestamp>,
}

/// Why the certificates could not be kept; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum CertificatesError {
    #[error("certificates: {0}")]
    Kube(#[from] kube::Error),
    #[error("certificates: {0}")]
    Pki(#[from] PkiError),
}

/// One surface, and who asks there.
struct Surfaced {
    certificates: SurfaceCertificates,
    /// What the operator shows; on the surface of clients only.
    access: Option<ClientTls>,
    /// What applications show; on the surface of clients only.
    application: Option<ClientTls>,
}

/// Brings the cluster's certificates one step nearer to what is declared and says what there is. A rotation goes at
/// most one step per call.
///
/// # Errors
/// If the API server does not answer or refuses, or there is no randomness.
pub async fn keep(context: &Context, cluster: &EtcdCluster, trust: &Trust) -> Result<Certificates, CertificatesError> {
    let mut keeper = Keeper::new(context, cluster, *trust);
    let client = surface(&mut keeper, Surface::Client).await?;
    let peer = surface(&mut keeper, Surface::Peer).await?;
    application::keep(&mut keeper, client.as_ref()).await?;
    Ok(Certificates {
        access: client.as_ref().and_then(|client| client.access.clone()),
        client: client.map(|client| client.certificates),
        peer: peer.map(|peer| peer.certificates),
        next_due: keeper.next_due(),
        statuses: keeper.statuses,
        problems: keeper.problems,
    })
}

async fn surface(keeper: &mut Keeper<'_>, surface: Surface) -> Result<Option<Surfaced>, CertificatesError> {
    match keeper.source(surface).mode {
        TlsMode::Operator => operator::keep(keeper, surface).await,
        TlsMode::CertManager => cert_manager::keep(keeper, surface).await,
        TlsMode::Secrets => given::keep(keeper, surface).await,
        TlsMode::Disabled => Ok(None),
    }
}
