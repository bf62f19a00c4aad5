//! v3lockpb.Lock

use taffrail_proto::etcdserverpb as pb;
use taffrail_proto::v3lockpb::lock_server::Lock;
use taffrail_proto::v3lockpb::{LockRequest, LockResponse, UnlockRequest, UnlockResponse};
use tonic::{Request, Response, Status};

use crate::errand::Errand;
use crate::queue::{self, Line, Place, Wish};
use crate::status::SESSION_EXPIRED;
use crate::{Api, status};

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Lock for Api {
    async fn lock(&self, request: Request<LockRequest>) -> Answer<LockResponse> {
        let (errand, request) = Errand::of(self, request);
        let (place, header) = lock(&errand, request).await.map_err(status::as_unknown)?;
        let key = place.keep().key.clone();
        Ok(Response::new(LockResponse { header, key }))
    }

    async fn unlock(&self, request: Request<UnlockRequest>) -> Answer<UnlockResponse> {
        let (errand, UnlockRequest { key }) = Errand::of(self, request);
        let delete = pb::DeleteRangeRequest {
            key,
            ..Default::default()
        };
        let header = errand.delete(delete).await.map_err(status::as_unknown)?.header;
        Ok(Response::new(UnlockResponse { header }))
    }
}

async fn lock(errand: &Errand, request: LockRequest) -> Result<(Place, Option<pb::ResponseHeader>), Status> {
    let wish = Wish {
        line: Line::of(&request.name),
        lease: queue::lease(errand, request.lease).await?,
        value: Default::default(),
        expired: SESSION_EXPIRED,
    };
    let place = Place::take(errand, wish).await?;
    let header = place.wait().await?;
    Ok((place, header))
}
