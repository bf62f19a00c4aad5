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
}

#[derive(Serialize, Deserialize)]
struct PeerRecord {
    peer_urls: Vec<String>,
}

pub fn encode(membership: &Membership<u64, Peer>) -> Result<Bytes, String> {
    let peers = membership.nodes().map(|(id, peer)| {
        (
            *id,
            PeerRecord {
                peer_urls: peer.peer_urls.clone(),
            },
        )
    });
    let record = Record {
        voters: membership.get_joint_config().clone(),
        peers: peers.collect(),
    };
    serde_json::to_vec(&record)
        .map(Bytes::from)
        .map_err(|error| error.to_string())
}

pub fn decode(bytes: &[u8]) -> Result<Membership<u64, Peer>, String> {
    let damaged = |why: String| format!("a stored membership cannot be read: {why}");
    let record: Record = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
    let votes = |id: &u64| record.voters.iter().any(|voters| voters.contains(id));
    let peers = record.peers.iter().map(|(id, peer)| {
        let peer_urls = peer.peer_urls.clone();
        (
            *id,
            Peer {
                peer_urls,
                learner: !votes(id),
            },
        )
    });
    let peers: BTreeMap<u64, Peer> = peers.collect();
    if record.voters.is_empty() && peers.is_empty() {
        return Ok(Membership::default());
    }
    Membership::new(record.voters, peers).map_err(|error| damaged(error.to_string()))
}

/// The membership as the store keeps it.
pub fn stored(record: Option<(Position, Bytes)>) -> Result<StoredMembership, String> {
    match record {
        Some((position, bytes)) => Ok(StoredMembership::new(log_id(position), decode(&bytes)?)),
        None => Ok(StoredMembership::default()),
    }
}

/// Everybody in it; whether somebody is a learner follows from who votes.
pub fn members(membership: &Membership<u64, Peer>) -> BTreeMap<u64, Peer> {
    let voters: BTreeSet<u64> = membership.voter_ids().collect();
    let members = membership.nodes().map(|(id, peer)| {
        let peer_urls = peer.peer_urls.clone();
        (
            *id,
            Peer {
                peer_urls,
                learner: !voters.contains(id),
            },
        )
    });
    members.collect()
}
