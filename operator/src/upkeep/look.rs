//! A cluster and its members as they are now, asked the way the cluster's own reconciliation found to be let in.

use std::sync::Arc;

use kube::api::Api;
use taffrail_crds::EtcdCluster;

use crate::cluster::Error;
use crate::cluster::observe::{self, Observed};
use crate::context::Context;
use crate::names::Names;

/// What there is of a cluster.
pub enum Picture {
    Missing,
    /// Nobody has looked at it yet, so nobody knows how its members let the operator in.
    Unknown,
    Seen(Box<Observed>),
}

/// Reads a cluster and asks its members; changes nothing.
///
/// # Errors
/// What the API server said. Members that do not answer are no error.
pub async fn look(context: &Context, namespace: &str, name: &str) -> Result<Picture, Error> {
    let api = Api::<EtcdCluster>::namespaced(context.client.clone(), namespace);
    let found = api.get_opt(name).await?;
    let Some(cluster) = found.filter(|one| one.metadata.deletion_timestamp.is_none()) else {
        return Ok(Picture::Missing);
    };
    let Some(access) = context.outlets.watchlist.access(&(namespace.into(), name.into())) else {
        return Ok(Picture::Unknown);
    };
    let names = Names::of(&cluster, &context.settings.cluster_domain);
    let objects = observe::objects(context, &cluster).await?;
    let mut seen = Observed::of(Arc::new(cluster), names, context.now(), objects);
    seen.access = access;
    observe::ask(context, &mut seen).await;
    Ok(Picture::Seen(Box::new(seen)))
}
