//! What this member tells the others about itself, through the log.

use std::time::Duration;

use taffrail_proto::membershippb::{Attributes, ClusterMemberAttrSetRequest};

use crate::Member;
use crate::entry::Proposal;

/// Pause between two tries.
const RETRY: Duration = Duration::from_millis(10);

impl Member {
    /// Makes name and client URLs known through the log, and waits until the cluster's version is decided, however long
    /// it takes. Clients are to come after.
    pub async fn publish(&self) {
        while !self.publish_once().await {
            tokio::time::sleep(RETRY).await;
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
            incarnation: self.0.config.incarnation,
        }
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
            if self
                .propose(&self.itself(), Proposal::ClusterMemberAttrSet, set)
                .await
                .is_err()
            {
                return false;
            }
        }
        // The leader decides it at once; until then etcd answers nobody.
        self.view().cluster_version().is_some()
    }
}
