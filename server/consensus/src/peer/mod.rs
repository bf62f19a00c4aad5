//! The way to the other members.
//!
//! Enters: openraft's calls to a peer. Leaves: its answers. This version has no way yet: every call says
//! "unreachable", so a single voter works and a cluster of more elects nobody.

use std::future::Future;

use openraft::errors::{RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse};

use crate::types::{RaftSnapshot, SnapshotData, TypeConfig, Vote};

/// How a member is reached, replicated with the membership.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peer {
    pub peer_urls: Vec<String>,
    /// Stays a learner until it is promoted. A member that is none votes as soon as it has caught up.
    pub learner: bool,
}

/// Makes connections to peers.
pub(crate) struct Peers;

pub(crate) struct Connection {
    target: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("member {0:016x} cannot be reached: this version does not speak to peers")]
struct NoPeers(u64);

impl Connection {
    fn unreachable(&self) -> Unreachable<TypeConfig> {
        Unreachable::new(&NoPeers(self.target))
    }
}

impl RaftNetworkFactory<TypeConfig> for Peers {
    type Network = Connection;

    async fn new_client(&mut self, target: u64, _node: &Peer) -> Connection {
        Connection { target }
    }
}

impl RaftNetworkV2<TypeConfig> for Connection {
    type SnapshotData = SnapshotData;

    async fn append_entries(
        &mut self,
        _rpc: AppendEntriesRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RPCError<TypeConfig>> {
        Err(self.unreachable().into())
    }

    async fn vote(
        &mut self,
        _rpc: VoteRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        Err(self.unreachable().into())
    }

    /// Spelt out because the default grants.
    async fn pre_vote(
        &mut self,
        _rpc: VoteRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        Err(self.unreachable().into())
    }

    async fn full_snapshot(
        &mut self,
        _vote: Vote,
        _snapshot: RaftSnapshot,
        _cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        Err(self.unreachable().into())
    }
}
