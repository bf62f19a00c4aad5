//! Calls that name keys, where clients have a namespace.

use std::sync::Arc;

use axum::http::{Request, Response};
use taffrail_proto::etcdserverpb as pb;
use tonic::Status;
use tonic::body::Body;

use super::keys::Namespace;
use super::relay::relay;
use super::typed::changed;
use crate::remote::Remote;

/// Answers what names keys in the namespace; the rest goes through as it is. As in etcd, that is also so for Lock,
/// Election and Maintenance, which see all keys.
pub async fn answer(space: Arc<Namespace>, remote: Arc<Remote>, request: Request<Body>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let Some((service, method)) = path.trim_start_matches('/').split_once('/') else {
        return relay(remote, request).await;
    };
    match (service, method) {
        ("etcdserverpb.KV", _) => kv(space, remote, request, method).await,
        ("etcdserverpb.Lease", "LeaseTimeToLive") => {
            let back = move |answer: &mut pb::LeaseTimeToLiveResponse| space.living(answer);
            changed(remote, request, |_: &mut pb::LeaseTimeToLiveRequest| {}, back).await
        }
        _ => relay(remote, request).await,
    }
}

/// A method that is not known here could lead out of the namespace.
async fn kv(space: Arc<Namespace>, remote: Arc<Remote>, request: Request<Body>, method: &str) -> Response<Body> {
    let back = space.clone();
    match method {
        "Range" => {
            let there = move |question: &mut _| space.range(question);
            changed(remote, request, there, move |answer: &mut _| back.ranged(answer)).await
        }
        "Put" => {
            let there = move |question: &mut _| space.put(question);
            changed(remote, request, there, move |answer: &mut _| back.has_put(answer)).await
        }
        "DeleteRange" => {
            let there = move |question: &mut _| space.delete(question);
            changed(remote, request, there, move |answer: &mut _| back.deleted(answer)).await
        }
        "Txn" => {
            let there = move |question: &mut _| space.txn(question);
            changed(remote, request, there, move |answer: &mut _| back.done(answer)).await
        }
        "Compact" => relay(remote, request).await,
        other => Status::unimplemented(format!("unknown method {other} for service etcdserverpb.KV")).into_http(),
    }
}
