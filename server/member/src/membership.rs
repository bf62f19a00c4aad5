//! Who the members are, as this member knows it.

use std::time::Duration;

use taffrail_proto::membershippb::{Attributes, ClusterMemberAttrSetRequest, ClusterVersionSetRequest};

use crate::Member;
use crate::entry::Proposal;

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
        while !self.publish_once().await {
            tokio::time::sleep(PUBLISH_RETRY).await;
        }
        tracing::info!(
            name = self.config().name,
            "published local member to cluster through raft"
        );
    }

    fn own_attributes(&self) -> Attributes {
        Attributes {
            name: self.0.config.name.clone(),
            client_urls: self.0.config.client_urls.clone(),
            ..Attributes::default()
        }
    }

    /// What etcd calls cluster version: major and minor of what every member speaks.
    fn own_cluster_version(&self) -> String {
        let mut parts = self.0.config.version.split('.');
        format!("{}.{}.0", parts.next().unwrap_or("0"), parts.next().unwrap_or("0"))
    }

    /// True if everything is known, and there is a leader to serve under.
    async fn publish_once(&self) -> bool {
        if self.barrier().await.is_err() {
            return false;
        }
        let (view, own) = (self.view(), self.own_attributes());
        let member_id = self.0.config.member_id;
        if view.member_attributes(member_id).as_ref() != Some(&own) {
            let set = ClusterMemberAttrSetRequest {
                member_id,
                member_attributes: Some(own),
            };
            if self.propose(Proposal::ClusterMemberAttrSet, set).await.is_err() {
                return false;
            }
        }
        let ver = self.own_cluster_version();
        let known = view.cluster_version().as_ref() == Some(&ver);
        known
            || self
                .propose(Proposal::ClusterVersionSet, ClusterVersionSetRequest { ver })
                .await
                .is_ok()
    }
}
