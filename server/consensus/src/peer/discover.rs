//! What a member that wants to join can learn about the cluster before it is in it.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use taffrail_proto::taffrailpb as pb;
use taffrail_proto::taffrailpb::peer_client::PeerClient;
use tonic::transport::{Endpoint, Uri};

use super::dial::{Dialer, dial_any};

/// How long one peer is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// A cluster as one of its members describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterFacts {
    pub cluster_id: u64,
    pub members: Vec<KnownMember>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownMember {
    pub id: u64,
    pub peer_urls: Vec<String>,
    pub learner: bool,
    /// It has been alive: its id must not start again on an empty directory.
    pub started: bool,
}

#[derive(Debug, Clone, thiserror::Error)]
#[error("{url}: {why}")]
pub struct NotDescribed {
    pub url: String,
    pub why: String,
}

/// Asks whoever answers at this peer URL.
pub async fn discover(dialer: Arc<dyn Dialer>, url: &str) -> Result<ClusterFacts, NotDescribed> {
    let asked = tokio::time::timeout(PATIENCE, ask(dialer, url.to_owned())).await;
    let answer = asked.unwrap_or_else(|_| Err("no answer in time".into()));
    answer.map_err(|why| NotDescribed {
        url: url.to_owned(),
        why,
    })
}

async fn ask(dialer: Arc<dyn Dialer>, url: String) -> Result<ClusterFacts, String> {
    let connect = tower::service_fn(move |_: Uri| {
        let dialled = dial_any(dialer.clone(), vec![url.clone()], PATIENCE);
        async move { dialled.await.map(TokioIo::new) }
    });
    let channel = Endpoint::from_static("http://peer")
        .connect_with_connector(connect)
        .await;
    let channel = channel.map_err(|error| error.to_string())?;
    let answer = PeerClient::new(channel).describe(pb::DescribeRequest {}).await;
    let described = answer.map_err(|status| status.to_string())?.into_inner();
    Ok(ClusterFacts {
        cluster_id: described.cluster_id,
        members: described.members.into_iter().map(known).collect(),
    })
}

fn known(member: pb::KnownMember) -> KnownMember {
    KnownMember {
        id: member.id,
        peer_urls: member.peer_urls,
        learner: member.learner,
        started: member.started,
    }
}
