//! Keepalive and time to live, asked of the leader. Asking twice does no harm, so a failure is just no answer.

use taffrail_proto::etcdserverpb::{
    LeaseKeepAliveRequest, LeaseKeepAliveResponse, LeaseTimeToLiveRequest, LeaseTimeToLiveResponse,
};
use taffrail_proto::taffrailpb::question::Question as Asked;
use taffrail_proto::taffrailpb::reply::Reply as Told;

use crate::{LeaseError, LeaseTtl, Member};

impl Member {
    pub(super) async fn answer_keep_alive(
        &self,
        asked: LeaseKeepAliveRequest,
    ) -> Result<LeaseKeepAliveResponse, LeaseError> {
        let ttl = self.keep_alive_here(asked.id).await?;
        Ok(LeaseKeepAliveResponse {
            header: None,
            id: asked.id,
            ttl,
        })
    }

    pub(super) async fn answer_time_to_live(
        &self,
        asked: LeaseTimeToLiveRequest,
    ) -> Result<LeaseTimeToLiveResponse, LeaseError> {
        let left = self.time_to_live_here(asked.id, asked.keys).await?;
        Ok(LeaseTimeToLiveResponse {
            header: None,
            id: asked.id,
            ttl: left.remaining_s,
            granted_ttl: left.granted_s,
            keys: left.keys,
        })
    }

    pub(crate) async fn ask_keep_alive(&self, leader: u64, id: i64) -> Option<i64> {
        let asked = Asked::KeepAlive(LeaseKeepAliveRequest { id });
        match self.ask(leader, asked, self.config().request_timeout).await {
            Ok(Told::KeepAlive(kept)) => Some(kept.ttl),
            _ => None,
        }
    }

    pub(crate) async fn ask_time_to_live(&self, leader: u64, id: i64, keys: bool) -> Option<LeaseTtl> {
        let asked = Asked::TimeToLive(LeaseTimeToLiveRequest { id, keys });
        match self.ask(leader, asked, self.config().request_timeout).await {
            Ok(Told::TimeToLive(left)) => Some(LeaseTtl {
                remaining_s: left.ttl,
                granted_s: left.granted_ttl,
                keys: left.keys,
            }),
            _ => None,
        }
    }
}
