//! etcdserverpb.KV

use std::pin::Pin;

use futures::Stream;
use taffrail_proto::etcdserverpb as pb;
use taffrail_proto::etcdserverpb::kv_server::Kv;
use tonic::{Request, Response, Status};

use crate::errand::Errand;
use crate::status::NO_RANGE_STREAM;
use crate::{Api, check, range_stream, status};

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

    type RangeStreamStream = Pin<Box<dyn Stream<Item = Result<pb::RangeStreamResponse, Status>> + Send>>;

    /// Not part of the contract of 3.6; clients fall back to Range.
    async fn range_stream(&self, request: Request<pb::RangeRequest>) -> Answer<Self::RangeStreamStream> {
        if !self.member().speaks(range_stream::SINCE) {
            return Err(NO_RANGE_STREAM.into());
        }
        let (errand, request) = Errand::of(self, request);
        check::range(&request)?;
        range_stream::check(&request)?;
        let pieces = range_stream::pieces(errand, request, self.0.config.request_bytes_max);
        Ok(Response::new(Box::pin(pieces)))
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
