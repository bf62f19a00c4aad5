//! Takes a seat and waits for the others (etcd api/v3discovery).

use std::sync::Arc;
use std::time::Duration;

use taffrail_proto::etcdserverpb::kv_client::KvClient;
use taffrail_proto::etcdserverpb::watch_client::WatchClient;
use taffrail_proto::etcdserverpb::watch_request::RequestUnion;
use taffrail_proto::etcdserverpb::{
    PutRequest, RangeRequest, RangeResponse, WatchCreateRequest, WatchRequest, WatchResponse,
};
use thiserror::Error;
use tonic::{Status, Streaming};

use super::registry::{Refused, Roll, member_key, members_key, size, size_key};
use crate::config::Discovery;
use crate::remote::{Remote, after_prefix};

/// Pauses double up to two to this power of seconds.
const DOUBLINGS_MAX: u32 = 8;

/// Why there is no cluster.
#[derive(Debug, Error)]
pub enum DiscoveryError {
    #[error("failed to join discovery cluster ({0})")]
    Refused(Refused),
    #[error("failed to join discovery cluster ({0:#})")]
    Remote(anyhow::Error),
}

struct Registrar {
    remote: Arc<Remote>,
    token: String,
    own_key: String,
    retries: u32,
}

/// What was found at one look.
struct Seen {
    roll: Roll,
    size: usize,
    revision: i64,
}

/// Takes a seat for the member `id`, whose `name=url` pairs are `own`, and waits until all seats are taken.
///
/// # Errors
/// If there is none, or no cluster of that token.
pub async fn join(discovery: &Discovery, id: u64, own: &str) -> Result<String, DiscoveryError> {
    tracing::info!("Bootstrapping cluster using v3 discovery.");
    let remote = Remote::new(discovery.registry.clone()).map_err(DiscoveryError::Remote)?;
    let token = discovery.token.clone();
    let mut registrar = Registrar {
        own_key: member_key(&token, id),
        token,
        remote,
        retries: 0,
    };
    let joined = registrar.join(own).await;
    match &joined {
        Ok(cluster) => tracing::info!(cluster, "discovery joined cluster successfully"),
        Err(error) => tracing::error!(%error, "discovery failed to join cluster"),
    }
    joined.map_err(DiscoveryError::Refused)
}

impl Registrar {
    async fn join(&mut self, own: &str) -> Result<String, Refused> {
        self.check().await?;
        self.register(own).await;
        loop {
            let Seen { roll, size, revision } = self.check().await?;
            if roll.len() >= size {
                tracing::info!(cluster_size = size, "found all needed peers from discovery service");
                return roll.initial_cluster(size);
            }
            tracing::info!(
                cluster_size = size,
                found_peers = roll.len(),
                "waiting for peers from discovery service"
            );
            if let Err(status) = self.change_after(revision).await {
                self.pause("watch of the members", &status).await;
            }
        }
    }

    /// Looks until the registry answers.
    async fn check(&mut self) -> Result<Seen, Refused> {
        loop {
            match self.look().await {
                Ok(seen) => {
                    self.retries = 0;
                    let seen = seen?;
                    return seen.roll.check(&self.own_key, seen.size).map(|()| seen);
                }
                Err(status) => self.pause("cluster status check", &status).await,
            }
        }
    }

    async fn look(&self) -> Result<Result<Seen, Refused>, Status> {
        let found = self.range(size_key(&self.token), false).await?;
        let size = match size(found.kvs.first()) {
            Ok(size) => size,
            Err(refused) => return Ok(Err(refused)),
        };
        let found = self.range(members_key(&self.token), true).await?;
        Ok(Ok(Seen {
            roll: Roll::of(&found.kvs),
            size,
            revision: found.header.unwrap_or_default().revision,
        }))
    }

    async fn range(&self, key: String, below: bool) -> Result<RangeResponse, Status> {
        let range_end = if below {
            after_prefix(key.as_bytes())
        } else {
            Vec::new()
        };
        let request = RangeRequest {
            key: key.into(),
            range_end: range_end.into(),
            ..RangeRequest::default()
        };
        let call = |signed| {
            let request = request.clone();
            async move { KvClient::new(signed).range(request).await }
        };
        self.remote.ask(call).await
    }

    async fn register(&mut self, own: &str) {
        let request = PutRequest {
            key: self.own_key.clone().into(),
            value: own.to_owned().into(),
            ..PutRequest::default()
        };
        let call = |signed| {
            let request = request.clone();
            async move { KvClient::new(signed).put(request).await }
        };
        while let Err(status) = self.remote.ask(call).await {
            self.pause("register member itself", &status).await;
        }
        self.retries = 0;
        let member_key = &self.own_key;
        tracing::info!(member_key, member_info = own, "register member itself successfully");
    }

    /// Waits until somebody has come since `revision`.
    async fn change_after(&self, revision: i64) -> Result<(), Status> {
        let key = members_key(&self.token);
        let create = RequestUnion::CreateRequest(WatchCreateRequest {
            range_end: after_prefix(key.as_bytes()).into(),
            key: key.into(),
            start_revision: revision + 1,
            ..WatchCreateRequest::default()
        });
        let request = WatchRequest {
            request_union: Some(create),
        };
        // The stream of requests stays open: its end would be the end of the watch.
        let requests = futures::StreamExt::chain(futures::stream::iter([request]), futures::stream::pending());
        let mut client = WatchClient::new(self.remote.signed().await?);
        let mut answers: Streaming<WatchResponse> = client.watch(requests).await?.into_inner();
        while let Some(answer) = answers.message().await? {
            if answer.canceled {
                return Err(Status::aborted(answer.cancel_reason));
            }
            if !answer.events.is_empty() {
                return Ok(());
            }
        }
        Err(Status::unavailable("the watch has ended"))
    }

    async fn pause(&mut self, reason: &str, status: &Status) {
        self.retries += 1;
        let backoff = Duration::from_secs(1 << self.retries.min(DOUBLINGS_MAX));
        let (code, error) = (format!("{:?}", status.code()), status.message());
        let backoff_s = backoff.as_secs();
        tracing::warn!(reason, code, error, backoff_s, "retry connecting to discovery service");
        tokio::time::sleep(backoff).await;
    }
}
