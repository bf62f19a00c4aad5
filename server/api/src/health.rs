//! grpc.health.v1: SERVING for the empty service name, as long as the process lives.

use std::pin::Pin;

use futures::{Stream, StreamExt};
use taffrail_proto::health::health_check_response::ServingStatus;
use taffrail_proto::health::health_server::Health;
use taffrail_proto::health::{HealthCheckRequest, HealthCheckResponse};
use tonic::{Request, Response, Status};

use crate::Api;
use crate::status::STOPPED;

#[tonic::async_trait]
impl Health for Api {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        if !request.into_inner().service.is_empty() {
            return Err(Status::not_found("unknown service"));
        }
        Ok(Response::new(HealthCheckResponse {
            status: ServingStatus::Serving.into(),
        }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let known = request.into_inner().service.is_empty();
        let status = if known {
            ServingStatus::Serving
        } else {
            ServingStatus::ServiceUnknown
        };
        let first = futures::stream::iter([Ok(HealthCheckResponse { status: status.into() })]);
        let api = self.clone();
        let end = futures::stream::once(async move {
            api.member().closing().await;
            Err(STOPPED.into())
        });
        Ok(Response::new(Box::pin(first.chain(end))))
    }
}
