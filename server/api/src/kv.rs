//! etcdserverpb.KV

use taffrail_proto::etcdserverpb as pb;
use taffrail_proto::etcdserverpb::kv_server::Kv;
use tonic::{Request, Response, Status};

use crate::{Api, check, status};

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Kv for Api {
    async fn range(&self, request: Request<pb::RangeRequest>) -> Answer<pb::RangeResponse> {
        let credentials = self.credentials(&request);
        let request = request.into_inner();
        if !request.serializable {
            self.demand_voter()?;
        }
        check::range(&request)?;
        let caller = self.caller(&credentials).await?;
        let watched = self.0.slow.watch(&request);
        let answer = self.member().range(&caller, request).await;
        watched.answered(&answer);
        self.respond(answer.map_err(status::read)?)
    }

    type RangeStreamStream = tokio_stream::Empty<Result<pb::RangeStreamResponse, Status>>;

    /// Not part of the contract of 3.6; clients fall back to Range on this code.
    async fn range_stream(&self, _: Request<pb::RangeRequest>) -> Answer<Self::RangeStreamStream> {
        Err(Status::unimplemented(
            "unknown method RangeStream for service etcdserverpb.KV",
        ))
    }

    async fn put(&self, request: Request<pb::PutRequest>) -> Answer<pb::PutResponse> {
        let credentials = self.credentials(&request);
        let request = request.into_inner();
        check::put(&request)?;
        let caller = self.caller(&credentials).await?;
        let watched = self.0.slow.watch(&request);
        let answer = self.member().put(&caller, request).await;
        watched.answered(&answer);
        self.respond(answer.map_err(status::write)?)
    }

    async fn delete_range(&self, request: Request<pb::DeleteRangeRequest>) -> Answer<pb::DeleteRangeResponse> {
        let credentials = self.credentials(&request);
        let request = request.into_inner();
        check::delete_range(&request)?;
        let caller = self.caller(&credentials).await?;
        let watched = self.0.slow.watch(&request);
        let answer = self.member().delete_range(&caller, request).await;
        watched.answered(&answer);
        self.respond(answer.map_err(status::write)?)
    }

    async fn txn(&self, request: Request<pb::TxnRequest>) -> Answer<pb::TxnResponse> {
        let credentials = self.credentials(&request);
        let request = request.into_inner();
        check::txn(&request, self.0.config.txn_ops_max)?;
        let caller = self.caller(&credentials).await?;
        let watched = self.0.slow.watch(&request);
        let answer = self.member().txn(&caller, request).await;
        watched.answered(&answer);
        self.respond(answer.map_err(status::txn)?)
    }

    async fn compact(&self, request: Request<pb::CompactionRequest>) -> Answer<pb::CompactionResponse> {
        let caller = self.demand_admin(&self.credentials(&request)).await?;
        self.respond(
            self.member()
                .compact(&caller, request.into_inner())
                .await
                .map_err(status::write)?,
        )
    }
}
