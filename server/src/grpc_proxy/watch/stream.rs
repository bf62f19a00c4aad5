//! The Watch service: a task for each client's stream.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use taffrail_proto::etcdserverpb::watch_server::Watch;
use taffrail_proto::etcdserverpb::{WatchRequest, WatchResponse};
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::ear::{Outlet, QUEUE_RESPONSES_MAX};
use super::hub::Hub;
use super::subject::Caller;
use super::talk::Talk;
use crate::grpc_proxy::keys::Namespace;

/// Responses between the stream's task and its connection.
const OUTBOX_RESPONSES_MAX: usize = 16;

/// The Watch service.
pub struct WatchProxy {
    hub: Arc<Hub>,
    space: Arc<Namespace>,
    last_stream_id: AtomicU64,
}

impl WatchProxy {
    pub fn new(hub: Arc<Hub>, space: Arc<Namespace>) -> Self {
        WatchProxy {
            hub,
            space,
            last_stream_id: AtomicU64::new(0),
        }
    }
}

#[tonic::async_trait]
impl Watch for WatchProxy {
    type WatchStream = ReceiverStream<Result<WatchResponse, Status>>;

    async fn watch(&self, request: Request<Streaming<WatchRequest>>) -> Result<Response<Self::WatchStream>, Status> {
        let (outbox, responses) = mpsc::channel(OUTBOX_RESPONSES_MAX);
        let (queue, said) = mpsc::channel(QUEUE_RESPONSES_MAX);
        let talk = Talk {
            hub: self.hub.clone(),
            space: self.space.clone(),
            caller: Caller::of(request.metadata()),
            outlet: Arc::new(Outlet {
                stream_id: self.last_stream_id.fetch_add(1, Relaxed),
                queue,
                too_slow: Notify::new(),
            }),
            watchers: HashMap::new(),
            next_id: 0,
            asked: None,
        };
        tokio::spawn(talk.run(request.into_inner(), said, outbox));
        Ok(Response::new(ReceiverStream::new(responses)))
    }
}
