//! Who the first members of a cluster are, by whichever way the flags choose.

use anyhow::Result;

use crate::config::{Bootstrap, Config, Discovery, Founding};
use crate::{discovery, srv};

/// What the flags say, with the members that were found by discovery put in.
///
/// # Errors
/// If nobody can be found, or there is no seat.
pub async fn bootstrap(config: &Config) -> Result<Bootstrap> {
    match &config.founding {
        Founding::Discovered(discovery) => discovered(discovery, &config.bootstrap).await,
        Founding::Resolved(domain) => {
            let flags = &config.bootstrap;
            let members = srv::members(domain, &flags.name, &flags.peer_urls).await?;
            Ok(flags.with_members(members))
        }
        Founding::Named => Ok(config.bootstrap.clone()),
    }
}

/// A member that joins a running cluster does not look for founders, as in etcd.
async fn discovered(discovery: &Discovery, flags: &Bootstrap) -> Result<Bootstrap> {
    let alone = flags.with_token(&discovery.token);
    if alone.joining {
        return Ok(alone);
    }
    let own = alone.found()?;
    let cluster = discovery::join(discovery, own.member_id, &alone.own_pairs()).await?;
    Ok(alone.with_members(cluster))
}
