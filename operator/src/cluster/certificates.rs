//! Stand-in.
use crate::context::Context;
use crate::etcd::ClientTls;
use crate::problem::Problem;
use jiff::Timestamp;
use taffrail_crds::{CertificateStatus, EtcdCluster};
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Trust {
    pub client_trusts_next: bool,
    pub peers_trust_next: bool,
    pub members_show_next_client: bool,
    pub members_show_next_peer: bool,
}
#[derive(Clone, Default)]
pub struct Certificates {
    pub client: Option<SurfaceCertificates>,
    pub peer: Option<SurfaceCertificates>,
    pub access: Option<ClientTls>,
    pub statuses: Vec<CertificateStatus>,
    pub problems: Vec<Problem>,
    pub next_due: Option<Timestamp>,
}
#[derive(Clone)]
pub struct SurfaceCertificates {
    pub secret: String,
    pub authorities_hash: String,
    pub probe: Option<ClientTls>,
    pub shows: Option<String>,
}
#[derive(Debug, thiserror::Error)]
pub enum CertificatesError {
    #[error("certificates: {0}")]
    Kube(#[from] kube::Error),
}
pub async fn keep(_: &Context, _: &EtcdCluster, _: &Trust) -> Result<Certificates, CertificatesError> {
    Ok(Certificates::default())
}
