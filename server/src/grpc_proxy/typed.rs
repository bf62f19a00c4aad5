//! A call that is looked into: one message each way, changed on its way.

use std::sync::Arc;

use axum::http::uri::PathAndQuery;
use axum::http::{Request, Response};
use prost::Message;
use taffrail_proto::codec::FittingCodec;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

use crate::remote::Remote;

/// What one request may take here; members have bounds of their own, and lower ones.
const REQUEST_BYTES_MAX: usize = 16 << 20;
/// What of a caller's metadata means something to a member.
const CARRIED: [&str; 3] = ["token", "authorization", "hasleader"];

/// Answers one message with one message.
pub async fn unary<Q, A, F>(request: Request<Body>, answer: impl Fn(tonic::Request<Q>) -> F) -> Response<Body>
where
    Q: Message + Default + Send + 'static,
    A: Message + Send + 'static,
    F: Future<Output = Result<tonic::Response<A>, Status>> + Send,
{
    let codec = FittingCodec::<A, Q>::default();
    let mut grpc = tonic::server::Grpc::new(codec).max_decoding_message_size(REQUEST_BYTES_MAX);
    grpc.unary(tower::service_fn(answer), request).await
}

/// Asks a member the same, `there` on the way to it and `back` on the way from it.
pub async fn changed<Q, A>(
    remote: Arc<Remote>,
    request: Request<Body>,
    there: impl Fn(&mut Q) + Clone + Send,
    back: impl Fn(&mut A) + Clone + Send,
) -> Response<Body>
where
    Q: Message + Default + Send + Sync + 'static,
    A: Message + Default + Send + Sync + 'static,
{
    let path = request.uri().path_and_query().cloned();
    let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
    let ask = |mut question: tonic::Request<Q>| {
        let (remote, path, there, back) = (remote.clone(), path.clone(), there.clone(), back.clone());
        async move {
            there(question.get_mut());
            let mut answer = ask::<Q, A>(&remote, path, question).await?;
            back(answer.get_mut());
            Ok(answer)
        }
    };
    unary(request, ask).await
}

async fn ask<Q, A>(
    remote: &Remote,
    path: PathAndQuery,
    question: tonic::Request<Q>,
) -> Result<tonic::Response<A>, Status>
where
    Q: Message + Send + Sync + 'static,
    A: Message + Default + Send + Sync + 'static,
{
    let line = remote.line();
    let mut grpc = tonic::client::Grpc::new(line.channel.clone()).max_decoding_message_size(usize::MAX);
    let ready = grpc.ready().await;
    ready.map_err(|error| Status::unavailable(error.to_string()))?;
    let mut asked = tonic::Request::new(());
    *asked.metadata_mut() = carried(question.metadata());
    let asked = asked.map(|()| question.into_inner());
    let answer = grpc.unary(asked, path, FittingCodec::<Q, A>::default()).await;
    answer.inspect_err(|status| {
        if status.code() == Code::Unavailable {
            remote.move_on(&line);
        }
    })
}

/// Who asks, and on which condition.
pub fn carried(metadata: &MetadataMap) -> MetadataMap {
    let mut kept = MetadataMap::new();
    for name in CARRIED {
        if let Some(value) = metadata.get(name) {
            kept.insert(name, value.clone());
        }
    }
    kept
}
