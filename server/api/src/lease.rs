//! etcdserverpb.Lease

use std::pin::Pin;

use futures::Stream;
use taffrail_member::Credentials;
use taffrail_proto::etcdserverpb as pb;
use taffrail_proto::etcdserverpb::lease_server::Lease;
use tonic::{Request, Response, Status, Streaming};

use crate::caller::stream_credentials;
use crate::status::STOPPED;
use crate::{Api, status};

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Lease for Api {
    async fn lease_grant(&self, request: Request<pb::LeaseGrantRequest>) -> Answer<pb::LeaseGrantResponse> {
        let caller = self.caller(&self.credentials(&request)).await?;
        let granted = self.member().grant(&caller, request.into_inner()).await;
        self.respond(granted.map_err(status::lease)?)
    }

    async fn lease_revoke(&self, request: Request<pb::LeaseRevokeRequest>) -> Answer<pb::LeaseRevokeResponse> {
        let caller = self.caller(&self.credentials(&request)).await?;
        let revoked = self.member().revoke(&caller, request.into_inner()).await;
        self.respond(revoked.map_err(status::lease)?)
    }

    type LeaseKeepAliveStream = Pin<Box<dyn Stream<Item = Result<pb::LeaseKeepAliveResponse, Status>> + Send>>;

    /// One answer per request, in order. A lease that is not there is answered with TTL 0, which is no error.
    async fn lease_keep_alive(
        &self,
        request: Request<Streaming<pb::LeaseKeepAliveRequest>>,
    ) -> Answer<Self::LeaseKeepAliveStream> {
        let credentials = stream_credentials(&request);
        let state = Some((self.clone(), credentials, request.into_inner()));
        let answers = futures::stream::unfold(state, |state| async {
            let (api, credentials, mut requests) = state?;
            let request = tokio::select! {
                request = requests.message() => request,
                () = api.member().closing() => Err(STOPPED.into()),
            };
            let answer = match request {
                Ok(Some(request)) => api.keep_alive(&credentials, request.id).await,
                Ok(None) => return None,
                Err(error) => Err(error),
            };
            let go_on = answer.is_ok().then_some((api, credentials, requests));
            Some((answer, go_on))
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn lease_time_to_live(
        &self,
        request: Request<pb::LeaseTimeToLiveRequest>,
    ) -> Answer<pb::LeaseTimeToLiveResponse> {
        let caller = self.caller(&self.credentials(&request)).await?;
        let pb::LeaseTimeToLiveRequest { id, keys } = request.into_inner();
        let left = self
            .member()
            .time_to_live(&caller, id, keys)
            .await
            .map_err(status::lease)?;
        Ok(Response::new(pb::LeaseTimeToLiveResponse {
            header: Some(self.current_header()),
            id,
            ttl: left.remaining_s,
            granted_ttl: left.granted_s,
            keys: left.keys,
        }))
    }

    async fn lease_leases(&self, request: Request<pb::LeaseLeasesRequest>) -> Answer<pb::LeaseLeasesResponse> {
        let caller = self.caller(&self.credentials(&request)).await?;
        let ids = self.member().leases(&caller).map_err(status::lease)?;
        let leases = ids.into_iter().map(|id| pb::LeaseStatus { id }).collect();
        Ok(Response::new(pb::LeaseLeasesResponse {
            header: Some(self.current_header()),
            leases,
        }))
    }
}

impl Api {
    async fn keep_alive(&self, credentials: &Credentials, id: i64) -> Result<pb::LeaseKeepAliveResponse, Status> {
        self.0.metrics.grpc.received("/etcdserverpb.Lease/LeaseKeepAlive");
        // etcd takes the header before the renewal too.
        let header = Some(self.current_header());
        let caller = self.caller(credentials).await?;
        let ttl = self.member().keep_alive(&caller, id).await.map_err(status::lease)?;
        Ok(pb::LeaseKeepAliveResponse { header, id, ttl })
    }
}
