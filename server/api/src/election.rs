//! v3electionpb.Election

use std::pin::Pin;

use futures::Stream;
use taffrail_proto::etcdserverpb as pb;
use taffrail_proto::mvccpb::KeyValue;
use taffrail_proto::mvccpb::event::EventType;
use taffrail_proto::v3electionpb::election_server::Election;
use taffrail_proto::v3electionpb::{
    CampaignRequest, CampaignResponse, LeaderKey, LeaderRequest, LeaderResponse, ProclaimRequest, ProclaimResponse,
    ResignRequest, ResignResponse,
};
use tonic::{Request, Response, Status};

use crate::errand::{Errand, Events};
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
        let observer = Observer {
            errand,
            line: Line::of(&name),
            following: Following::Nobody,
        };
        let answers = futures::stream::unfold(Some(observer), |observer| async {
            let mut observer = observer?;
            match observer.next().await.map_err(status::as_unknown) {
                Ok(response) => Some((Ok(response), Some(observer))),
                Err(status) => Some((Err(status), None)),
            }
        });
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

/// Follows an election from leader to leader.
struct Observer {
    errand: Errand,
    line: Line,
    following: Following,
}

enum Following {
    Nobody,
    /// Nobody leads: whoever comes first will.
    Anybody(Events),
    /// What the leader says next, until its key is deleted.
    Leader(Events),
}

impl Observer {
    async fn next(&mut self) -> Result<LeaderResponse, Status> {
        loop {
            let (events, anybody) = match &mut self.following {
                Following::Nobody => match self.look().await? {
                    Some(response) => return Ok(response),
                    None => continue,
                },
                Following::Anybody(events) => (events, true),
                Following::Leader(events) => (events, false),
            };
            let Some(heard) = events.next().await? else {
                self.following = Following::Nobody;
                continue;
            };
            match (heard.event.r#type(), heard.event.kv) {
                (EventType::Put, Some(kv)) if anybody => return self.first(heard.header, kv).await,
                (EventType::Put, kv) => {
                    return Ok(LeaderResponse {
                        header: heard.header,
                        kv,
                    });
                }
                (EventType::Delete, _) => self.following = Following::Nobody,
            }
        }
    }

    /// Who leads now; if nobody does, whoever comes is waited for.
    async fn look(&mut self) -> Result<Option<LeaderResponse>, Status> {
        let answer = self.errand.range(self.line.first()).await?;
        let since = answer.header.as_ref().map_or(0, |header| header.revision) + 1;
        let Some(kv) = answer.kvs.into_iter().next() else {
            self.following = Following::Anybody(self.errand.watch(vec![self.line.watch(since)]).await?);
            return Ok(None);
        };
        self.follow(&kv, since).await?;
        Ok(Some(LeaderResponse {
            header: answer.header,
            kv: Some(kv),
        }))
    }

    /// The first to come after nobody led. The header tells its revision: others may have come since.
    async fn first(&mut self, header: Option<pb::ResponseHeader>, kv: KeyValue) -> Result<LeaderResponse, Status> {
        self.follow(&kv, kv.mod_revision + 1).await?;
        let header = header.map(|header| pb::ResponseHeader {
            revision: kv.mod_revision,
            ..header
        });
        Ok(LeaderResponse { header, kv: Some(kv) })
    }

    async fn follow(&mut self, kv: &KeyValue, since: i64) -> Result<(), Status> {
        let watch = pb::WatchCreateRequest {
            key: kv.key.clone(),
            start_revision: since,
            ..Default::default()
        };
        self.following = Following::Leader(self.errand.watch(vec![watch]).await?);
        Ok(())
    }
}
