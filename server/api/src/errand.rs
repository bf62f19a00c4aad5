//! Calls of this member's own services in the name of a caller.
//!
//! A lock is made of reads, writes and watches. They go through the services like anybody else's, with the caller's
//! metadata and extensions, so that the caller may do through a lock exactly what it may do without one.

use std::collections::VecDeque;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use http_body_util::Full;
use taffrail_proto::codec::FittingCodec;
use taffrail_proto::etcdserverpb as pb;
use taffrail_proto::etcdserverpb::kv_server::Kv;
use taffrail_proto::etcdserverpb::lease_server::Lease;
use taffrail_proto::etcdserverpb::watch_request::RequestUnion;
use taffrail_proto::etcdserverpb::watch_server::Watch;
use taffrail_proto::mvccpb::Event;
use tonic::codec::Codec;
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Request, Status, Streaming};

use crate::status::STOPPED;
use crate::{Api, frame};

#[derive(Clone)]
pub(crate) struct Errand {
    api: Api,
    metadata: MetadataMap,
    extensions: Extensions,
}

impl Errand {
    /// Takes a request apart: in whose name, and what for.
    pub fn of<T>(api: &Api, request: Request<T>) -> (Self, T) {
        let (metadata, extensions, message) = request.into_parts();
        let api = api.clone();
        (
            Errand {
                api,
                metadata,
                extensions,
            },
            message,
        )
    }

    fn request<T>(&self, message: T) -> Request<T> {
        Request::from_parts(self.metadata.clone(), self.extensions.clone(), message)
    }

    pub async fn range(&self, range: pb::RangeRequest) -> Result<pb::RangeResponse, Status> {
        Ok(Kv::range(&self.api, self.request(range)).await?.into_inner())
    }

    pub async fn txn(&self, txn: pb::TxnRequest) -> Result<pb::TxnResponse, Status> {
        Ok(Kv::txn(&self.api, self.request(txn)).await?.into_inner())
    }

    pub async fn delete(&self, delete: pb::DeleteRangeRequest) -> Result<pb::DeleteRangeResponse, Status> {
        Ok(Kv::delete_range(&self.api, self.request(delete)).await?.into_inner())
    }

    pub async fn grant(&self, grant: pb::LeaseGrantRequest) -> Result<pb::LeaseGrantResponse, Status> {
        Ok(Lease::lease_grant(&self.api, self.request(grant)).await?.into_inner())
    }

    /// Everything that happens to any of these.
    pub async fn watch(&self, creates: Vec<pb::WatchCreateRequest>) -> Result<Events, Status> {
        let body = Full::new(framed(creates));
        let decoder = FittingCodec::<pb::WatchResponse, pb::WatchRequest>::default().decoder();
        let requests = Streaming::new_request(decoder, body, None, None);
        let responses = Watch::watch(&self.api, self.request(requests)).await?.into_inner();
        Ok(Events {
            responses: Box::pin(responses),
            ready: VecDeque::new(),
        })
    }
}

/// As they would come in by gRPC.
fn framed(creates: Vec<pb::WatchCreateRequest>) -> Bytes {
    let mut frames = BytesMut::new();
    for create in creates {
        let request = pb::WatchRequest {
            request_union: Some(RequestUnion::CreateRequest(create)),
        };
        frame::put(&mut frames, &request);
    }
    frames.freeze()
}

/// What a watch brings, event by event.
pub(crate) struct Events {
    responses: Pin<Box<dyn Stream<Item = Result<pb::WatchResponse, Status>> + Send>>,
    /// Events of the last response.
    ready: VecDeque<Heard>,
}

/// An event, and the header of the response it came with.
pub(crate) struct Heard {
    pub header: Option<pb::ResponseHeader>,
    pub event: Event,
}

impl Events {
    /// None if the watch was lost: what it needed is compacted. Looking again helps.
    pub async fn next(&mut self) -> Result<Option<Heard>, Status> {
        loop {
            if let Some(heard) = self.ready.pop_front() {
                return Ok(Some(heard));
            }
            let response = self.responses.next().await.unwrap_or_else(|| Err(STOPPED.into()))?;
            if response.canceled {
                return refused_or_lost(&response);
            }
            let pb::WatchResponse { header, events, .. } = response;
            self.ready
                .extend(events.into_iter().map(|event| Heard { header, event }));
        }
    }
}

/// A watch that was compacted away says up to where; any other has a reason.
fn refused_or_lost(response: &pb::WatchResponse) -> Result<Option<Heard>, Status> {
    if response.compact_revision > 0 {
        return Ok(None);
    }
    Err(Status::permission_denied(response.cancel_reason.clone()))
}
