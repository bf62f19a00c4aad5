//! etcdserverpb.Lease

use std::pin::Pin;

use futures::Stream;
use taffrail_proto::etcdserverpb as pb;
use taffrail_proto::etcdserverpb::lease_server::Lease;
use tonic::{Request, Response, Status, Streaming};

use crate::status::STOPPED;
use crate::{Api, status};

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Lease for Api {
    async fn lease_grant(&self, request: Request<pb::LeaseGrantRequest>) -> Answer<pb::LeaseGrantResponse> {
        self.respond(self.member().grant(request.into_inner()).await.map_err(status::lease)?)
    }

    async fn lease_revoke(&self, request: Request<pb::LeaseRevokeRequest>) -> Answer<pb::LeaseRevokeResponse> {
        self.respond(
            self.member()
                .revoke(request.into_inner())
                .await
                .map_err(status::lease)?,
        )
    }

    type LeaseKeepAliveStream = Pin<Box<dyn Stream<Item = Result<pb::LeaseKeepAliveResponse, Status>> + Send>>;

    /// One answer per request, in order. A lease that is not there is answered with TTL 0, which is no error.
    async fn lease_keep_alive(
        &self,
        request: Request<Streaming<pb::LeaseKeepAliveRequest>>,
    ) -> Answer<Self::LeaseKeepAliveStream> {
        let state = Some((self.clone(), request.into_inner()));
        let answers = futures::stream::unfold(state, |state| async {
            let (api, mut requests) = state?;
            let request = tokio::select! {
                request = requests.message() => request,
                () = api.member().closing() => Err(STOPPED.into()),
            };
            let answer = match request {
                Ok(Some(request)) => api.keep_alive(request.id).await,
                Ok(None) => return None,
                Err(error) => Err(error),
            };
            let go_on = answer.is_ok().then_some((api, requests));
            Some((answer, go_on))
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn lease_time_to_live(
        &self,
        request: Request<pb::LeaseTimeToLiveRequest>,
    ) -> Answer<pb::LeaseTimeToLiveResponse> {
        let pb::LeaseTimeToLiveRequest { id, keys } = request.into_inner();
        let left = self.member().time_to_live(id, keys).await.map_err(status::lease)?;
        Ok(Response::new(pb::LeaseTimeToLiveResponse {
            header: Some(self.current_header()),
            id,
            ttl: left.remaining_s,
            granted_ttl: left.granted_s,
            keys: left.keys,
        }))
    }

    async fn lease_leases(&self, _: Request<pb::LeaseLeasesRequest>) -> Answer<pb::LeaseLeasesResponse> {
        let ids = self.member().leases().map_err(status::lease)?;
        let leases = ids.into_iter().map(|id| pb::LeaseStatus { id }).collect();
        Ok(Response::new(pb::LeaseLeasesResponse {
            header: Some(self.current_header()),
            leases,
        }))
    }
}

impl Api {
    async fn keep_alive(&self, id: i64) -> Result<pb::LeaseKeepAliveResponse, Status> {
        self.0.metrics.grpc.received("/etcdserverpb.Lease/LeaseKeepAlive");
        // etcd takes the header before the renewal too.
        let header = Some(self.current_header());
        let ttl = self.member().keep_alive(id).await.map_err(status::lease)?;
        Ok(pb::LeaseKeepAliveResponse { header, id, ttl })
    }
}
