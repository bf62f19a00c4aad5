//! Who the members are, as this member knows it.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::Member;

/// How often this member looks whether it votes, besides when it applies a change.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberInfo {
    pub id: u64,
    /// Empty until the member has started once.
    pub name: String,
    pub peer_urls: Vec<String>,
    pub client_urls: Vec<String>,
    pub is_learner: bool,
}

/// Keeps what is looked up often up to date, for as long as the member lives.
pub(crate) fn follow(member: &Member) {
    member.look_who_learns();
    let member = member.clone();
    tokio::spawn(async move {
        loop {
            // A change that came with a snapshot is not heard.
            let _ = tokio::time::timeout(LOOK_INTERVAL, member.0.ears.membership.notified()).await;
            member.look_who_learns();
        }
    });
}

impl MemberInfo {
    /// Whether it has ever been at work.
    pub fn is_started(&self) -> bool {
        !self.name.is_empty()
    }
}

impl Member {
    /// Whether this member learns and does not vote. Every request asks, so it is only looked up.
    pub fn is_learner(&self) -> bool {
        self.0.learner.load(Relaxed)
    }

    /// How long each other member has been in touch; absent are those that are not.
    pub fn in_touch(&self) -> BTreeMap<u64, Duration> {
        self.0.node.in_touch()
    }

    fn look_who_learns(&self) {
        let own = self.config().member_id;
        let learner = self.0.node.members().get(&own).is_some_and(|peer| peer.learner);
        self.0.learner.store(learner, Relaxed);
    }

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
}
