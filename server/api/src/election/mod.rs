//! v3electionpb.Election

mod observe;

use std::pin::Pin;

use futures::Stream;
use taffrail_proto::v3electionpb::election_server::Election;
use taffrail_proto::v3electionpb::{
    CampaignRequest, CampaignResponse, LeaderKey, LeaderRequest, LeaderResponse, ProclaimRequest, ProclaimResponse,
    ResignRequest, ResignResponse,
};
use tonic::{Request, Response, Status};

use crate::errand::Errand;
use crate::queue::{self, Line, Place, Wish};
use crate::status::{MISSING_LEADER_KEY, NO_ELECTED_LEADER, NOT_ELECTED_LEADER};
use crate::{Api, status};

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Election for Api {
    async fn campaign(&self, request: Request<CampaignRequest>) -> Answer<CampaignResponse> {
        let (errand, request) = Errand::of(self, request);
        let response = campaign(&errand, request).await.map_err(status::as_unknown)?;
        Ok(Response::new(response))
    }

    async fn proclaim(&self, request: Request<ProclaimRequest>) -> Answer<ProclaimResponse> {
        let (errand, ProclaimRequest { leader, value }) = Errand::of(self, request);
        let LeaderKey { key, rev, lease, .. } = leader.ok_or(MISSING_LEADER_KEY)?;
        let lease = queue::lease(&errand, lease).await.map_err(status::as_unknown)?;
        let proclaim = queue::proclaim(queue::created_at(&key, rev), value, lease);
        let answer = errand.txn(proclaim).await.map_err(status::as_unknown)?;
        if !answer.succeeded {
            return Err(NOT_ELECTED_LEADER.into());
        }
        Ok(Response::new(ProclaimResponse { header: answer.header }))
    }

    async fn leader(&self, request: Request<LeaderRequest>) -> Answer<LeaderResponse> {
        let (errand, LeaderRequest { name }) = Errand::of(self, request);
        let answer = errand
            .range(Line::of(&name).first())
            .await
            .map_err(status::as_unknown)?;
        let kv = answer.kvs.into_iter().next().ok_or(NO_ELECTED_LEADER)?;
        Ok(Response::new(LeaderResponse {
            header: answer.header,
            kv: Some(kv),
        }))
    }

    type ObserveStream = Pin<Box<dyn Stream<Item = Result<LeaderResponse, Status>> + Send>>;

    async fn observe(&self, request: Request<LeaderRequest>) -> Answer<Self::ObserveStream> {
        let (errand, LeaderRequest { name }) = Errand::of(self, request);
        let answers = observe::leaders(errand, Line::of(&name));
        Ok(Response::new(Box::pin(answers)))
    }

    /// Who does not lead any more has nothing to resign from, which is no error.
    async fn resign(&self, request: Request<ResignRequest>) -> Answer<ResignResponse> {
        let (errand, ResignRequest { leader }) = Errand::of(self, request);
        let LeaderKey { key, rev, .. } = leader.ok_or(MISSING_LEADER_KEY)?;
        let answer = errand.txn(queue::leave(&key, rev)).await.map_err(status::as_unknown)?;
        Ok(Response::new(ResignResponse { header: answer.header }))
    }
}

async fn campaign(errand: &Errand, request: CampaignRequest) -> Result<CampaignResponse, Status> {
    let CampaignRequest { name, lease, value } = request;
    let lease = queue::lease(errand, lease).await?;
    let wish = Wish {
        line: Line::of(&name),
        lease,
        value: value.clone(),
        expired: NOT_ELECTED_LEADER,
    };
    let place = Place::take(errand, wish).await?;
    if place.found.as_ref().is_some_and(|found| found.value != value) {
        say_again(errand, &place, value, lease).await?;
    }
    place.wait().await?;
    let place = place.keep();
    let leader = LeaderKey {
        name,
        key: place.key.clone(),
        rev: place.create_revision,
        lease,
    };
    Ok(CampaignResponse {
        header: place.header,
        leader: Some(leader),
    })
}

/// A candidate that was in line already may have a new value.
async fn say_again(errand: &Errand, place: &Place, value: bytes::Bytes, lease: i64) -> Result<(), Status> {
    let answer = errand.txn(queue::proclaim(place.is_held(), value, lease)).await?;
    if answer.succeeded {
        Ok(())
    } else {
        Err(NOT_ELECTED_LEADER.into())
    }
}
