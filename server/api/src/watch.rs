//! etcdserverpb.Watch

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use prost::Message;
use taffrail_member::watch::{INVALID_WATCH_ID, WatchItem, WatchSpec, WatchStream};
use taffrail_member::{Credentials, InvalidToken, KeyRange};
use taffrail_proto::etcdserverpb as pb;
use taffrail_proto::etcdserverpb::watch_create_request::FilterType;
use taffrail_proto::etcdserverpb::watch_request::RequestUnion;
use taffrail_proto::etcdserverpb::watch_server::Watch;
use taffrail_proto::mvccpb;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tonic::{Request, Response, Status, Streaming};

use crate::caller::stream_credentials;
use crate::status::{AUTH_OLD_REVISION, COMPACTED, INVALID_AUTH_TOKEN, Refusal, STOPPED, USER_EMPTY};
use crate::{Api, GRPC_OVERHEAD_BYTES, status};

#[tonic::async_trait]
impl Watch for Api {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<pb::WatchResponse, Status>> + Send>>;

    /// Requests are read in a task of their own; answers are pulled by the client's flow control.
    async fn watch(
        &self,
        request: Request<Streaming<pb::WatchRequest>>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let stream = Arc::new(self.member().watch_stream());
        let credentials = stream_credentials(&request);
        let reading = read_requests(self.clone(), credentials, Arc::clone(&stream), request.into_inner());
        let reader = tokio::spawn(reading);
        let talk = Talk {
            tick: Instant::now() + self.member().config().watch_progress_interval,
            api: self.clone(),
            stream,
            reader: reader.abort_handle(),
            ready: VecDeque::new(),
        };
        Ok(Response::new(Box::pin(futures::stream::unfold(talk, Talk::next))))
    }
}

/// Until the client hangs up. That it has no more requests does not end its watches.
async fn read_requests(
    api: Api,
    credentials: Credentials,
    stream: Arc<WatchStream>,
    mut requests: Streaming<pb::WatchRequest>,
) {
    while let Ok(Some(request)) = requests.message().await {
        api.0.metrics.grpc.received("/etcdserverpb.Watch/Watch");
        stream.ready().await;
        match request.request_union {
            Some(RequestUnion::CreateRequest(create)) => api.open_watch(&credentials, &stream, create).await,
            Some(RequestUnion::CancelRequest(cancel)) => stream.cancel(cancel.watch_id),
            Some(RequestUnion::ProgressRequest(_)) => stream.request_progress(),
            None => tracing::info!("ignored a watch request without content"),
        }
    }
}

impl Api {
    async fn open_watch(&self, credentials: &Credentials, stream: &WatchStream, mut create: pb::WatchCreateRequest) {
        // An empty key stands for the smallest one.
        if create.key.is_empty() {
            create.key = Bytes::from_static(b"\0");
        }
        if create.start_revision < 0 {
            return stream.refuse(COMPACTED.text);
        }
        match self.permit_watch(credentials, &create).await {
            Ok(()) => open(stream, create),
            Err(refusal) => stream.refuse(refusal_reason(refusal)),
        }
    }

    /// Asked anew for each watch. Anything but a lack of credentials is told as a lack of permission.
    async fn permit_watch(&self, credentials: &Credentials, create: &pb::WatchCreateRequest) -> Result<(), Refusal> {
        let caller = self.member().identify(credentials).await;
        let caller = caller.map_err(|InvalidToken| INVALID_AUTH_TOKEN)?;
        let permitted = self.member().permit_watch(&caller, &create.key, &create.range_end);
        permitted.map_err(|error| status::auth(&error))
    }
}

/// etcd tells these as a whole status in words, unlike its other reasons.
fn refusal_reason(refusal: Refusal) -> &'static str {
    match refusal {
        INVALID_AUTH_TOKEN => "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token",
        AUTH_OLD_REVISION => "rpc error: code = InvalidArgument desc = etcdserver: revision of auth store is old",
        USER_EMPTY => "rpc error: code = InvalidArgument desc = etcdserver: user name is empty",
        _ => "rpc error: code = PermissionDenied desc = etcdserver: permission denied",
    }
}

fn open(stream: &WatchStream, create: pb::WatchCreateRequest) {
    let filters = |kind| create.filters().any(|filter| filter == kind);
    let (no_put, no_delete) = (filters(FilterType::Noput), filters(FilterType::Nodelete));
    stream.create(WatchSpec {
        range: KeyRange::new(create.key, create.range_end),
        start_revision: create.start_revision,
        watch_id: create.watch_id,
        progress_notify: create.progress_notify,
        no_put,
        no_delete,
        prev_kv: create.prev_kv,
        fragment: create.fragment,
    });
}

/// The answering half of one stream.
struct Talk {
    api: Api,
    stream: Arc<WatchStream>,
    reader: AbortHandle,
    /// When progress is next due.
    tick: Instant,
    /// Fragments of the last item.
    ready: VecDeque<pb::WatchResponse>,
}

impl Talk {
    async fn next(mut self) -> Option<(Result<pb::WatchResponse, Status>, Self)> {
        if let Some(response) = self.ready.pop_front() {
            return Some((Ok(response), self));
        }
        let Some(item) = self.stream.next(&mut self.tick).await else {
            return Some((Err(STOPPED.into()), self));
        };
        let response = self.response(item);
        Some((Ok(response), self))
    }

    fn response(&mut self, item: WatchItem) -> pb::WatchResponse {
        let headed = |watch_id, revision| pb::WatchResponse {
            header: Some(self.api.header(revision)),
            watch_id,
            ..Default::default()
        };
        match item {
            WatchItem::Created { watch_id, revision } => pb::WatchResponse {
                created: true,
                ..headed(watch_id, revision)
            },
            WatchItem::Refused { revision, reason } => pb::WatchResponse {
                created: true,
                canceled: true,
                cancel_reason: reason.to_owned(),
                ..headed(INVALID_WATCH_ID, revision)
            },
            WatchItem::Canceled { watch_id, revision } => pb::WatchResponse {
                canceled: true,
                ..headed(watch_id, revision)
            },
            WatchItem::Compacted {
                watch_id,
                compact_revision,
            } => pb::WatchResponse {
                canceled: true,
                compact_revision,
                ..headed(watch_id, 0)
            },
            WatchItem::Progress { watch_id, revision } => headed(watch_id, revision),
            WatchItem::Events {
                watch_id,
                revision,
                events,
                prev_kv,
                fragment,
            } => {
                let events = events.iter().map(|event| wire(event, prev_kv)).collect();
                let whole = pb::WatchResponse {
                    events,
                    ..headed(watch_id, revision)
                };
                if fragment { self.fragments(whole) } else { whole }
            }
        }
    }

    /// Splits what is too large for one message; the first part is returned, the others wait.
    fn fragments(&mut self, whole: pb::WatchResponse) -> pb::WatchResponse {
        let bytes_max = self.api.0.config.request_bytes_max + GRPC_OVERHEAD_BYTES;
        if whole.encoded_len() < bytes_max || whole.events.len() < 2 {
            return whole;
        }
        self.ready.extend(split(whole, bytes_max));
        self.ready.pop_front().unwrap_or_default()
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

fn wire(event: &mvccpb::Event, prev_kv: bool) -> mvccpb::Event {
    let prev_kv = if prev_kv { event.prev_kv.clone() } else { None };
    mvccpb::Event {
        r#type: event.r#type,
        kv: event.kv.clone(),
        prev_kv,
    }
}

/// Parts below `bytes_max`, but never less than one event; all but the last are marked as fragments.
fn split(whole: pb::WatchResponse, bytes_max: usize) -> Vec<pb::WatchResponse> {
    let pb::WatchResponse { events, .. } = whole.clone();
    let frame = pb::WatchResponse {
        events: Vec::new(),
        fragment: true,
        ..whole
    };
    let mut parts = vec![frame.clone()];
    let mut bytes = frame.encoded_len();
    for event in events {
        let event_bytes = event.encoded_len() + 8;
        let part = parts.len() - 1;
        if bytes + event_bytes >= bytes_max && !parts[part].events.is_empty() {
            parts.push(frame.clone());
            bytes = frame.encoded_len();
        }
        bytes += event_bytes;
        let part = parts.len() - 1;
        parts[part].events.push(event);
    }
    if let Some(last) = parts.last_mut() {
        last.fragment = false;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(value_bytes: usize) -> mvccpb::Event {
        let kv = mvccpb::KeyValue {
            key: "k".into(),
            value: vec![0; value_bytes].into(),
            ..Default::default()
        };
        mvccpb::Event {
            kv: Some(kv),
            ..Default::default()
        }
    }

    fn sizes(parts: &[pb::WatchResponse]) -> Vec<(usize, bool)> {
        parts.iter().map(|part| (part.events.len(), part.fragment)).collect()
    }

    #[test]
    fn fragments_hold_every_event_once_and_only_the_last_is_unmarked() {
        let whole = pb::WatchResponse {
            events: (0..5).map(|_| event(100)).collect(),
            ..Default::default()
        };
        assert_eq!(sizes(&split(whole, 260)), [(2, true), (2, true), (1, false)]);
    }

    #[test]
    fn an_event_larger_than_the_bound_travels_whole() {
        let whole = pb::WatchResponse {
            events: vec![event(1000), event(1)],
            ..Default::default()
        };
        assert_eq!(sizes(&split(whole, 100)), [(1, true), (1, false)]);
    }
}
