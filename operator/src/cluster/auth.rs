//! Stand-in.
use crate::context::Context;
use crate::etcd::{Access, Endpoint};
use crate::problem::Problem;
use taffrail_crds::EtcdCluster;
pub struct AuthState {
    pub enabled: bool,
    pub user: Option<(String, String)>,
    pub problems: Vec<Problem>,
}
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    #[error("auth: {0}")]
    Kube(#[from] kube::Error),
}
pub async fn keep(_: &Context, _: &EtcdCluster, _: &Access, _: &[Endpoint]) -> Result<AuthState, AuthError> {
    Ok(AuthState {
        enabled: false,
        user: None,
        problems: vec![],
    })
}
