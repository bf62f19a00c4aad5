//! Who the members are, as this member knows it.

use std::time::Duration;

use taffrail_proto::etcdserverpb::InternalRaftRequest;
use taffrail_proto::membershippb::{Attributes, ClusterMemberAttrSetRequest, ClusterVersionSetRequest};

use crate::Member;

/// Pause between two tries to make name and client URLs known.
const PUBLISH_RETRY: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberInfo {
    pub id: u64,
    /// Empty until the member has started once.
    pub name: String,
    pub peer_urls: Vec<String>,
    pub client_urls: Vec<String>,
    pub is_learner: bool,
}

impl Member {
    /// All members by id: who votes comes from the log's membership, names from what each has published.
    pub fn members(&self) -> Vec<MemberInfo> {
        let view = self.view();
        let peers = self.0.node.members();
        peers
            .into_iter()
            .map(|(id, peer)| {
                let attributes = view.member_attributes(id).unwrap_or_default();
                MemberInfo {
                    id,
                    name: attributes.name,
                    peer_urls: peer.peer_urls,
                    client_urls: attributes.client_urls,
                    is_learner: peer.learner,
                }
            })
            .collect()
    }

    pub fn is_leader(&self) -> bool {
        self.leader() == Some(self.0.config.member_id)
    }

    pub fn leader(&self) -> Option<u64> {
        self.0.node.leadership().borrow().leader
    }

    /// Makes name, client URLs and version known through the log, however long it takes. Clients are to come after.
    pub async fn publish(&self) {
        while let Some(request) = self.unpublished() {
            if self.propose(request).await.is_err() {
                tokio::time::sleep(PUBLISH_RETRY).await;
            }
        }
        tracing::info!(name = self.config().name, "published local member to cluster through raft");
    }

    fn own_attributes(&self) -> Attributes {
        Attributes {
            name: self.0.config.name.clone(),
            client_urls: self.0.config.client_urls.clone(),
        }
    }

    /// What etcd calls cluster version: major and minor of what every member speaks.
    fn own_cluster_version(&self) -> String {
        let mut parts = self.0.config.version.split('.');
        format!("{}.{}.0", parts.next().unwrap_or("0"), parts.next().unwrap_or("0"))
    }

    fn unpublished(&self) -> Option<InternalRaftRequest> {
        let view = self.view();
        let own = self.own_attributes();
        if view.member_attributes(self.0.config.member_id).as_ref() != Some(&own) {
            let set = ClusterMemberAttrSetRequest {
                member_id: self.0.config.member_id,
                member_attributes: Some(own),
            };
            return Some(InternalRaftRequest {
                cluster_member_attr_set: Some(set),
                ..Default::default()
            });
        }
        let ver = self.own_cluster_version();
        if view.cluster_version().as_ref() != Some(&ver) {
            let set = ClusterVersionSetRequest { ver };
            return Some(InternalRaftRequest {
                cluster_version_set: Some(set),
                ..Default::default()
            });
        }
        None
    }
}
