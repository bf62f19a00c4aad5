//! grpc.health.v1: SERVING for the empty service name, as long as the process lives; NOT_SERVING while a
//! defragmentation runs, if the gate StopGRPCServiceOnDefrag is open (etcd v3rpc/health.go).

use std::pin::Pin;

use futures::{Stream, StreamExt};
use taffrail_proto::health::health_check_response::ServingStatus;
use taffrail_proto::health::health_server::Health;
use taffrail_proto::health::{HealthCheckRequest, HealthCheckResponse};
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;
use tonic::{Request, Response, Status};

use crate::Api;
use crate::status::STOPPED;

/// How many defragmentations run that health checkers are to know of.
#[derive(Default)]
pub(crate) struct Defragmenting(watch::Sender<usize>);

/// One of them.
pub(crate) struct Underway<'a>(&'a Defragmenting);

impl Defragmenting {
    pub fn begin(&self) -> Underway<'_> {
        self.0.send_modify(|count| *count += 1);
        Underway(self)
    }

    fn status(count: usize) -> HealthCheckResponse {
        let status = if count == 0 {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        HealthCheckResponse { status: status.into() }
    }
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}

type Statuses = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

#[tonic::async_trait]
impl Health for Api {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        if !request.into_inner().service.is_empty() {
            return Err(Status::not_found("unknown service"));
        }
        let count = *self.0.defragmenting.0.borrow();
        Ok(Response::new(Defragmenting::status(count)))
    }

    type WatchStream = Statuses;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let statuses: Statuses = if request.into_inner().service.is_empty() {
            let counts = WatchStream::new(self.0.defragmenting.0.subscribe());
            Box::pin(counts.map(|count| Ok(Defragmenting::status(count))))
        } else {
            let status = ServingStatus::ServiceUnknown.into();
            let unknown = futures::stream::iter([Ok(HealthCheckResponse { status })]);
            Box::pin(unknown.chain(futures::stream::pending()))
        };
        let api = self.clone();
        let closing = Box::pin(async move { api.member().closing().await });
        let end = futures::stream::once(async { Err(STOPPED.into()) });
        Ok(Response::new(Box::pin(statuses.take_until(closing).chain(end))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_serves_again_once_the_last_defragmentation_is_done() {
        let defragmenting = Defragmenting::default();
        let status = || Defragmenting::status(*defragmenting.0.borrow()).status();
        let (first, second) = (defragmenting.begin(), defragmenting.begin());
        drop(first);
        assert_eq!(status(), ServingStatus::NotServing);
        drop(second);
        assert_eq!(status(), ServingStatus::Serving);
    }
}
