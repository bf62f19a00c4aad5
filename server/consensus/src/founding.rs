//! The first entry of a log, and the entry by which one survivor starts a cluster of its own.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use openraft::Membership;
use taffrail_store::{Content, Entry, Position};

use crate::config::NodeConfig;
use crate::error::StartError;
use crate::log::{Ballot, Log};
use crate::membership;
use crate::peer::Peer;

/// Where raft expects the first membership: before any term.
pub const FIRST: Position = Position { term: 0, index: 1 };

/// The first membership as a state holds it that was not made by a log: that of a restored snapshot.
pub fn first_membership(founders: &BTreeMap<u64, Peer>) -> Result<(Position, Bytes), StartError> {
    Ok((FIRST, encode(founders)?))
}

/// Writes the first membership into a log that has never held anything. Every founder writes the same.
pub async fn found(log: &Log, config: &NodeConfig) -> Result<bool, StartError> {
    let state = log.state();
    let fresh = state.last == Position::default() && state.ballot.is_none();
    let Some(founders) = config.founders.as_ref().filter(|_| fresh) else {
        return Ok(false);
    };
    if founders.values().any(|peer| peer.learner) || !founders.contains_key(&config.member_id) {
        return Err(StartError::Settings(
            "the first members of a cluster must all be voters, and this member one of them".into(),
        ));
    }
    append(log, FIRST, founders).await?;
    Ok(true)
}

/// Makes this member the only one, whoever else there was: what the log holds stays.
///
/// The term is one that nobody has seen, so that the entry cannot be taken for one of the old cluster.
pub async fn survive_alone(log: &Log, config: &NodeConfig, peer: Peer) -> Result<(), StartError> {
    let state = log.state();
    let term = state.ballot.map_or(0, |ballot| ballot.term).max(state.last.term) + 1;
    let ballot = Ballot {
        term,
        voted_for: config.member_id,
        committed: false,
    };
    log.save_ballot(ballot)
        .await
        .map_err(|error| StartError::Log(error.to_string()))?;
    let position = Position {
        term,
        index: state.last.index + 1,
    };
    tracing::warn!(?position, "forcing a new cluster with this member alone");
    append(log, position, &BTreeMap::from([(config.member_id, peer)])).await
}

async fn append(log: &Log, position: Position, voters: &BTreeMap<u64, Peer>) -> Result<(), StartError> {
    let content = Content::Membership(encode(voters)?);
    let (done, durable) = tokio::sync::oneshot::channel();
    let tell = Box::new(move |result| drop(done.send(result)));
    let failed = |error: std::io::Error| StartError::Log(error.to_string());
    log.append(vec![Entry { position, content }], tell)
        .await
        .map_err(failed)?;
    durable
        .await
        .unwrap_or_else(|_| Err(std::io::Error::other("the log is closed")))
        .map_err(failed)
}

fn encode(voters: &BTreeMap<u64, Peer>) -> Result<Bytes, StartError> {
    let ids: BTreeSet<u64> = voters.keys().copied().collect();
    let refused = |why: String| StartError::Settings(format!("the first membership: {why}"));
    let membership = Membership::new(vec![ids], voters.clone()).map_err(|error| refused(error.to_string()))?;
    membership::encode(&membership).map_err(refused)
}
