//! The stored form of a membership: our own JSON, so that openraft's types may change under it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use openraft::Membership;
use serde::{Deserialize, Serialize};
use taffrail_store::Position;

use crate::peer::Peer;
use crate::types::{StoredMembership, log_id};

#[derive(Serialize, Deserialize)]
struct Record {
    /// One set of voters, or two while a change is under way.
    voters: Vec<BTreeSet<u64>>,
    /// Voters and learners.
    peers: BTreeMap<u64, PeerRecord>,
    /// Who was a member once and never will be again. Known to the state, not to the log.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    removed: BTreeSet<u64>,
}

#[derive(Serialize, Deserialize)]
struct PeerRecord {
    peer_urls: Vec<String>,
    /// Waits to be promoted; who does not vote and has not this is to vote as soon as it has caught up.
    #[serde(default)]
    learner: bool,
}

pub fn encode(membership: &Membership<u64, Peer>) -> Result<Bytes, String> {
    let peers = membership.nodes().map(|(id, peer)| {
        let Peer { peer_urls, learner } = peer.clone();
        (*id, PeerRecord { peer_urls, learner })
    });
    let record = Record {
        voters: membership.get_joint_config().clone(),
        peers: peers.collect(),
        removed: BTreeSet::new(),
    };
    write(&record)
}

pub fn decode(bytes: &[u8]) -> Result<Membership<u64, Peer>, String> {
    let Record { voters, peers, .. } = read(bytes)?;
    let votes = |id: &u64| voters.iter().any(|voters| voters.contains(id));
    let peers = peers.into_iter().map(|(id, PeerRecord { peer_urls, learner })| {
        let learner = learner && !votes(&id);
        (id, Peer { peer_urls, learner })
    });
    let peers: BTreeMap<u64, Peer> = peers.collect();
    if voters.is_empty() && peers.is_empty() {
        return Ok(Membership::default());
    }
    Membership::new(voters, peers).map_err(|error| damaged(&error))
}

/// A stored membership, for who looks at a stopped member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMembers {
    /// One set of voters, or two while a change is under way.
    pub voters: Vec<BTreeSet<u64>>,
    pub peers: BTreeMap<u64, Peer>,
    pub removed: BTreeSet<u64>,
}

impl StoredMembers {
    /// # Errors
    /// If the bytes are none that this room wrote.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let peers = members(&decode(bytes)?);
        let Record { voters, removed, .. } = read(bytes)?;
        Ok(Self { voters, peers, removed })
    }
}

/// The membership as the store keeps it.
pub fn stored(record: Option<(Position, Bytes)>) -> Result<StoredMembership, String> {
    match record {
        Some((position, bytes)) => Ok(StoredMembership::new(log_id(position), decode(&bytes)?)),
        None => Ok(StoredMembership::default()),
    }
}

/// The same membership, with everybody who was in the one before and is not in this.
pub fn with_removed(bytes: &[u8], before: Option<&Bytes>) -> Result<Bytes, String> {
    let mut record = read(bytes)?;
    if let Some(before) = before {
        let before = read(before)?;
        let left = before.peers.into_keys().filter(|id| !record.peers.contains_key(id));
        record.removed = before.removed.into_iter().chain(left).collect();
    }
    write(&record)
}

pub fn removed(bytes: &[u8]) -> Result<BTreeSet<u64>, String> {
    Ok(read(bytes)?.removed)
}

/// Everybody in it.
pub fn members(membership: &Membership<u64, Peer>) -> BTreeMap<u64, Peer> {
    membership.nodes().map(|(id, peer)| (*id, peer.clone())).collect()
}

fn read(bytes: &[u8]) -> Result<Record, String> {
    serde_json::from_slice(bytes).map_err(|error| damaged(&error))
}

fn write(record: &Record) -> Result<Bytes, String> {
    serde_json::to_vec(record)
        .map(Bytes::from)
        .map_err(|error| error.to_string())
}

fn damaged(why: &impl std::fmt::Display) -> String {
    format!("a stored membership cannot be read: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn membership(voters: &[u64], learners: &[u64]) -> Membership<u64, Peer> {
        let peer = |learner| Peer {
            peer_urls: vec!["http://localhost:2380".into()],
            learner,
        };
        let voting = voters.iter().map(|id| (*id, peer(false)));
        let peers: BTreeMap<_, _> = voting.chain(learners.iter().map(|id| (*id, peer(true)))).collect();
        Membership::new(vec![voters.iter().copied().collect()], peers).unwrap()
    }

    #[test]
    fn a_membership_is_read_back() {
        let membership = membership(&[1, 2], &[3]);
        assert_eq!(decode(&encode(&membership).unwrap()).unwrap(), membership);
    }

    #[test]
    fn who_left_stays_removed() {
        let first = with_removed(&encode(&membership(&[1, 2], &[3])).unwrap(), None).unwrap();
        let second = with_removed(&encode(&membership(&[1], &[3])).unwrap(), Some(&first)).unwrap();
        let third = with_removed(&encode(&membership(&[1], &[])).unwrap(), Some(&second)).unwrap();
        assert_eq!(removed(&first).unwrap(), [].into());
        assert_eq!(removed(&second).unwrap(), [2].into());
        assert_eq!(removed(&third).unwrap(), [2, 3].into());
        assert_eq!(decode(&third).unwrap(), membership(&[1], &[]));
    }
}
