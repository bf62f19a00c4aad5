//! Writes a proxy down where others look for it, for as long as it lives (etcd proxy/grpcproxy/register.go).

use std::sync::Arc;
use std::time::Duration;

use taffrail_proto::etcdserverpb::kv_client::KvClient;
use taffrail_proto::etcdserverpb::lease_client::LeaseClient;
use taffrail_proto::etcdserverpb::{LeaseGrantRequest, LeaseKeepAliveRequest, PutRequest};
use tonic::Status;

use super::cluster::{Advertised, host_name};
use crate::remote::Remote;

/// Before the next try.
const PAUSE: Duration = Duration::from_secs(1);

/// Never ends: whenever the entry has gone, another one is made.
pub async fn keep(remote: Arc<Remote>, advertised: Arc<Advertised>, ttl_s: i64) {
    loop {
        match register(&remote, &advertised, ttl_s).await {
            Ok(lease) => {
                tracing::info!(
                    addr = advertised.url,
                    lease_ttl = ttl_s,
                    "registered session with lease"
                );
                renew(&remote, lease, ttl_s).await;
                tracing::warn!("session expired; possible network partition or server restart");
            }
            Err(status) => tracing::warn!(error = status.message(), "failed to create a session"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn register(remote: &Remote, advertised: &Advertised, ttl_s: i64) -> Result<i64, Status> {
    let grant = LeaseGrantRequest { ttl: ttl_s, id: 0 };
    let lease = remote
        .ask(|signed| async move { LeaseClient::new(signed).lease_grant(grant).await })
        .await?
        .id;
    let request = PutRequest {
        key: format!("{}/{}", advertised.prefix, advertised.url).into(),
        value: value(&advertised.url).into(),
        lease,
        ..PutRequest::default()
    };
    let call = |signed| {
        let request = request.clone();
        async move { KvClient::new(signed).put(request).await }
    };
    remote.ask(call).await.map(|_| lease)
}

fn value(url: &str) -> String {
    let metadata = serde_json::json!({ "name": host_name() }).to_string();
    serde_json::json!({ "Op": 0, "Addr": url, "Metadata": metadata }).to_string()
}

/// Returns when the lease has ended.
async fn renew(remote: &Remote, lease: i64, ttl_s: i64) {
    let pause = Duration::from_secs(ttl_s.unsigned_abs()) / 3;
    loop {
        tokio::time::sleep(pause).await;
        match keep_alive(remote, lease).await {
            Ok(left_s) if left_s <= 0 => return,
            Ok(_) => {}
            Err(status) => tracing::warn!(error = status.message(), "could not renew the session"),
        }
    }
}

async fn keep_alive(remote: &Remote, lease: i64) -> Result<i64, Status> {
    let call = |signed| async move {
        let request = LeaseKeepAliveRequest { id: lease };
        let mut answers = LeaseClient::new(signed)
            .lease_keep_alive(futures::stream::iter([request]))
            .await?;
        let answer = answers.get_mut().message().await?;
        Ok(tonic::Response::new(answer.unwrap_or_default().ttl))
    };
    remote.ask(call).await
}
