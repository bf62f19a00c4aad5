//! Members that follow etcd's rules: founding, joining, quorum, learners, removal, versions.
//!
//! A cluster is one [`History`], the truth of its log and its roster; every volume knows how much of it it holds.

mod access;
mod calls;
mod changes;
mod handshake;
mod network;
mod raft;
mod start;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use taffrail_operator::etcd::{Alarm, AlarmKind, Permission};

pub use access::change;
pub use calls::FakeEtcd;
pub use raft::{has_quorum, tick};
pub use start::start;

use super::State;
use super::kubelet::{items, text};

/// One cluster of etcd, from its founding on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    pub cluster_id: u64,
    /// UID of the EtcdCluster whose member founded it.
    pub owner: String,
    pub members: BTreeMap<u64, Member>,
    pub removed: BTreeSet<u64>,
    /// Writes of clients, in their order.
    pub log: Vec<u64>,
    /// So many of them were acknowledged.
    pub acknowledged: usize,
    pub leader: Option<u64>,
    pub term: u64,
    /// Minor of the cluster's version.
    pub minor: Option<u64>,
    /// Minor that a downgrade leads to.
    pub downgrade: Option<u64>,
    pub alarms: BTreeSet<Alarm>,
    pub auth: bool,
    pub root_password: Option<String>,
    /// All but root.
    pub users: BTreeMap<String, User>,
    pub roles: BTreeMap<String, BTreeSet<Permission>>,
    /// Bytes allocated and in use by member, if a test filled them.
    pub sizes: BTreeMap<u64, (i64, i64)>,
    /// What is in use once history is compacted away.
    pub live_bytes: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct User {
    /// None: it comes with a certificate.
    pub password: Option<String>,
    pub roles: BTreeSet<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// Empty until it has started once.
    pub name: String,
    pub peer_urls: Vec<String>,
    pub client_urls: Vec<String>,
    pub is_learner: bool,
    /// Ticks in which it was in touch with the leader.
    pub fed_ticks: u32,
    /// What it ran when it was last in touch.
    pub minor: Option<u64>,
}

impl History {
    pub fn voters(&self) -> impl Iterator<Item = (u64, &Member)> {
        self.members
            .iter()
            .filter(|(_, member)| !member.is_learner)
            .map(|(id, member)| (*id, member))
    }

    /// Bytes that a member has allocated and uses.
    pub fn size(&self, id: u64) -> (i64, i64) {
        self.sizes.get(&id).copied().unwrap_or((20_480, 20_480))
    }

    pub fn quorum(&self) -> usize {
        self.voters().count() / 2 + 1
    }
}

/// UID of the EtcdCluster that an object belongs to: by its label, or up the line of its owners.
pub fn owner(state: &State, object: &Value) -> String {
    if let Some(label) = object["metadata"]["labels"][taffrail_crds::CLUSTER_UID].as_str() {
        return label.to_owned();
    }
    let Some(owner) = items(object, "/metadata/ownerReferences").first() else {
        return String::new();
    };
    let uid = text(owner, "/uid");
    let mut objects = state.api.objects.values();
    match objects.find(|one| text(one, "/metadata/uid") == uid) {
        Some(above) if text(owner, "/kind") != "EtcdCluster" => self::owner(state, above),
        _ => uid.to_owned(),
    }
}

/// What readiness probes find: it runs, is in the roster and knows a leader.
pub fn is_ready(state: &State, pod_uid: &str) -> bool {
    let process = &state.processes[pod_uid];
    let history = &state.histories[process.history];
    let in_touch = history
        .leader
        .is_some_and(|leader| network::in_touch(state, process, leader));
    // As `data_corruption` of /readyz: with that alarm nobody is ready, whosever data they are.
    let corrupt = history.alarms.iter().any(|alarm| alarm.kind == AlarmKind::Corrupt);
    in_touch && !corrupt && history.members.contains_key(&process.member_id)
}

/// FNV-1a: IDs that are made of URLs.
pub fn hash(parts: &[String]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
