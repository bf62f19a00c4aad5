//! What must never happen, whatever the operator lives through.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use taffrail_operator::etcd::AccessChange;

use super::State;
use super::api::{Key, Seen};
use super::etcd::has_quorum;
use super::kubelet::text;

/// What has to be remembered to notice.
#[derive(Clone, Default)]
pub struct Memory {
    /// UIDs of what a test deleted, as a user would.
    pub by_user: BTreeSet<String>,
    /// Histories that were founded for each EtcdCluster, by its UID.
    founded: BTreeMap<String, Vec<usize>>,
    /// UID of the volume that each member's name began with.
    names: BTreeMap<Key, String>,
    /// The last spec of each EtcdCluster, by its UID.
    specs: BTreeMap<String, Value>,
    /// Changes of members since the roster was read last.
    pub changes_unseen: usize,
    /// UIDs of EtcdBackups that came to an end, and the phase in which they did.
    ended: BTreeMap<String, String>,
    /// Two operators at once may each make a change after the same look.
    pub several_operators: bool,
}

/// After every change that an operator asked the API server for.
pub fn after_request(state: &mut State, seen: &Seen) {
    remember(state);
    backups_end_once(state);
    let name = seen.name.as_deref().unwrap_or_default();
    if seen.resource == "etcdclusters" {
        told(
            state,
            &Key::new("EtcdCluster", seen.namespace.as_deref().unwrap_or_default(), name),
        );
    }
    if seen.verb == "delete" && seen.resource == "pods" {
        pod_deleted(
            state,
            &Key::new("Pod", seen.namespace.as_deref().unwrap_or_default(), name),
        );
    }
}

/// What the operator says of a cluster, for who looks into a failure.
fn told(state: &mut State, key: &Key) {
    let Some(cluster) = state.api.objects.get(key) else {
        return;
    };
    let of = |field: &str| text(cluster, field).to_owned();
    let conditions = super::kubelet::items(cluster, "/status/conditions").iter().map(|one| {
        format!(
            " {}={}:{}",
            text(one, "/type"),
            text(one, "/status"),
            text(one, "/message")
        )
    });
    let line = format!(
        "  {}: {}; {};{}",
        key.name,
        of("/status/phase"),
        of("/status/doing"),
        conditions.collect::<String>()
    );
    state.note(line);
}

pub fn after_tick(state: &mut State) {
    remember(state);
    one_process_per_volume(state);
    one_cluster_at_a_time(state);
}

fn remember(state: &mut State) {
    let clusters = state.api.of_kind("EtcdCluster");
    let specs: Vec<(String, Value)> = clusters
        .map(|(_, one)| (text(one, "/metadata/uid").to_owned(), one["spec"].clone()))
        .collect();
    state.memory.specs.extend(specs);
}

/// The EtcdCluster with this UID, if it is there and not on its way out.
fn living<'a>(state: &'a State, uid: &str) -> Option<&'a Value> {
    let mut clusters = state.api.of_kind("EtcdCluster").map(|(_, one)| one);
    clusters.find(|one| text(one, "/metadata/uid") == uid && one["metadata"]["deletionTimestamp"].is_null())
}

/// A person has given this cluster up for a backup.
fn rolls_back(state: &State, owner: &str) -> bool {
    let phase = living(state, owner).map(|one| text(one, "/status/rollBack/phase").to_owned());
    phase.is_some_and(|phase| !phase.is_empty() && phase != "Done")
}

fn replicas(state: &State, owner: &str) -> Option<usize> {
    living(state, owner)
        .and_then(|one| one["spec"]["replicas"].as_u64())
        .map(|replicas| replicas as usize)
}

/// No pod of a voter is deleted while that costs the quorum, nor while another voter's pod is on its way out.
fn pod_deleted(state: &mut State, key: &Key) {
    let Some(pod) = state.api.objects.get(key) else { return };
    let Some(process) = state.processes.get(text(pod, "/metadata/uid")) else {
        return;
    };
    let history = &state.histories[process.history];
    let is_voter = |id: u64| history.members.get(&id).is_some_and(|member| !member.is_learner);
    if !is_voter(process.member_id) || replicas(state, &history.owner).is_none_or(|replicas| replicas == 0) {
        return;
    }
    let deleted = |pod: &Key| {
        state
            .api
            .objects
            .get(pod)
            .is_none_or(|pod| !pod["metadata"]["deletionTimestamp"].is_null())
    };
    let voters = state
        .processes
        .values()
        .filter(|one| one.history == process.history && is_voter(one.member_id));
    let (leaving, staying): (Vec<_>, Vec<_>) = voters.partition(|one| deleted(&one.pod));
    if rolls_back(state, &history.owner) {
        return;
    }
    let had_quorum = has_quorum(state, process.history);
    let several = history.voters().count() > 2;
    if had_quorum && several && staying.len() < history.quorum() {
        let what = format!(
            "the pod {} is deleted: {} voters are left, {} are needed",
            key.name,
            staying.len(),
            history.quorum()
        );
        state.violated(what);
    } else if had_quorum && leaving.len() > 1 {
        state.violated(format!(
            "the pod {} is deleted while that of another voter ends",
            key.name
        ));
    }
}

/// A volume claim has gone for good.
pub fn claim_gone(state: &mut State, key: &Key, claim: &Value) {
    remember(state);
    let uid = text(claim, "/metadata/uid");
    if state.memory.by_user.contains(uid) {
        return;
    }
    let owner = claim["metadata"]["labels"][taffrail_crds::CLUSTER_UID]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let is_alive = living(state, &owner).is_some();
    let retention = state
        .memory
        .specs
        .get(&owner)
        .map(|spec| spec["storage"]["retention"].clone())
        .unwrap_or_default();
    let policy = if is_alive {
        &retention["whenScaled"]
    } else {
        &retention["whenDeleted"]
    };
    if policy == "Retain" {
        state.violated(format!("the claim {} is deleted though it is to be retained", key.name));
    }
    let Some(data) = state.disks.get(uid).and_then(|disk| disk.data.clone()) else {
        return;
    };
    let listed = state.histories[data.history].members.contains_key(&data.member_id);
    let current = state.histories.iter().rposition(|history| history.owner == owner) == Some(data.history);
    if is_alive && listed && current {
        state.violated(format!(
            "the claim {} is deleted while its member is in the roster",
            key.name
        ));
    }
}

/// What came to an end never begins again: from there it can only expire.
fn backups_end_once(state: &mut State) {
    let over = ["Succeeded", "Failed", "Unusable", "Expired"];
    let phases: Vec<(Key, String, String)> = state
        .api
        .of_kind("EtcdBackup")
        .map(|(key, one)| {
            (
                key.clone(),
                text(one, "/metadata/uid").to_owned(),
                text(one, "/status/phase").to_owned(),
            )
        })
        .collect();
    for (key, uid, phase) in phases {
        let before = state.memory.ended.get(&uid).cloned();
        if before
            .as_ref()
            .is_some_and(|before| *before != phase && phase != "Expired")
        {
            state.violated(format!("the EtcdBackup {} was {before:?} and is {phase}", key.name));
        }
        if over.contains(&phase.as_str()) {
            state.memory.ended.insert(uid, phase);
        }
    }
}

/// Anything else has gone for good.
pub fn gone(state: &mut State, key: &Key, object: &Value) {
    let uid = text(object, "/metadata/uid");
    let over = state.memory.ended.contains_key(uid);
    if key.kind == "EtcdBackup" && !over && !state.memory.by_user.contains(uid) {
        state.violated(format!(
            "the EtcdBackup {} is deleted before it came to an end",
            key.name
        ));
    }
    if key.kind != "EtcdMember" || state.memory.by_user.contains(text(object, "/metadata/uid")) {
        return;
    }
    let url = text(object, "/spec/peerUrl").to_owned();
    let owner = super::etcd::owner(state, object);
    let Some(history) = state.histories.iter().rev().find(|history| history.owner == owner) else {
        return;
    };
    let listed = history.members.values().any(|member| member.peer_urls.contains(&url));
    let given_up = living(state, &owner).is_some_and(|one| one["status"]["rollBack"].is_object())
        && text(object, "/spec/leaving/reason") == "RolledBack";
    if listed && living(state, &owner).is_some() && !given_up {
        state.violated(format!("the EtcdMember {} is gone while it is in the roster", key.name));
    }
}

/// A member starts: its name never had another volume.
pub fn started(state: &mut State, pod: &Key, volume: &str) {
    let first = state
        .memory
        .names
        .entry(pod.clone())
        .or_insert_with(|| volume.to_owned())
        .clone();
    if first != volume {
        state.violated(format!("{} starts with another volume than it began with", pod.name));
    }
}

/// A member founds a cluster: the first and only time for its EtcdCluster.
pub fn founded(state: &mut State, history: usize, pod: &Key) {
    let owner = state.histories[history].owner.clone();
    state.note(format!("etcd: {} founds a cluster", pod.name));
    let all = state.memory.founded.entry(owner).or_default();
    all.push(history);
    if all.len() > 1 {
        state.violated(format!("{} founds a second cluster", pod.name));
    }
    let owner = state.histories[history].owner.clone();
    let to_restore = |spec: &Value| spec["bootstrap"]["restore"].is_object();
    if state.memory.specs.get(&owner).is_some_and(to_restore) {
        state.violated(format!(
            "{} founds an empty cluster though one is to be restored",
            pod.name
        ));
    }
}

/// A volume is filled from a backup: once, unless a person asked for another time, and never beside members that run.
pub fn restored(state: &mut State, history: usize, pod: &Key) {
    let owner = state.histories[history].owner.clone();
    state.note(format!("etcd: {} restores a cluster", pod.name));
    let rolled_back = living(state, &owner).is_some_and(|one| one["status"]["rollBack"].is_object());
    let all = state.memory.founded.entry(owner.clone()).or_default();
    all.push(history);
    if all.len() > 1 && !rolled_back {
        state.violated(format!("{} restores over a cluster that was founded", pod.name));
    }
    let runs = |process: &super::Process| state.histories[process.history].owner == owner;
    if state.processes.values().any(runs) {
        state.violated(format!("{} restores while members run", pod.name));
    }
}

/// A member goes on alone by force.
pub fn forced(state: &mut State, old: usize, new: usize) {
    let lost = state.histories[old]
        .acknowledged
        .saturating_sub(state.histories[new].acknowledged);
    state.note(format!(
        "etcd: one goes on alone, {lost} acknowledged writes are given up"
    ));
    if has_quorum(state, old) {
        state.violated("one is forced to go on alone while there is a quorum");
    }
    if state.processes.values().any(|process| process.history == old) {
        state.violated("one is forced to go on alone while others run");
    }
}

/// The roster was changed by a call.
pub fn roster_changed(state: &mut State, history: usize, what: &str) {
    state.note(format!("etcd: {what}"));
    state.memory.changes_unseen += 1;
    if state.memory.changes_unseen > 1 && !state.memory.several_operators {
        state.violated(format!("a second change of members without a look between: {what}"));
    }
    let count = state.histories[history].members.len();
    let most = replicas(state, &state.histories[history].owner).map(|replicas| replicas + 1);
    if what.starts_with("added") && most.is_some_and(|most| count > most) {
        state.violated(format!("{what}: {count} members are more than one too many"));
    }
}

/// A member stands still while it is defragmented: the others must do without it.
pub fn defragmented(state: &mut State, history: usize, id: u64) {
    let one = &state.histories[history];
    let voters = one.voters().count();
    if voters > 1 && one.leader == Some(id) {
        state.violated(format!("{id:x} is defragmented while it leads"));
    }
    let one = &state.histories[history];
    let runs = |id: u64| {
        let mut all = state.processes.values();
        all.any(|process| process.history == history && process.member_id == id)
    };
    let away = one.voters().filter(|(other, _)| !runs(*other)).count();
    if away > 0 && !state.memory.several_operators {
        state.violated(format!("{id:x} is defragmented while {away} members are away"));
    }
}

/// Whatever is changed in etcd is written down as kept before: only then its end is noticed.
pub fn access_changed(state: &mut State, change: &AccessChange) {
    let (kind, name) = match change {
        AccessChange::AddUser { name, .. }
        | AccessChange::DeleteUser { name }
        | AccessChange::ChangePassword { name, .. }
        | AccessChange::GrantRole { user: name, .. }
        | AccessChange::RevokeRole { user: name, .. } => ("users", name),
        AccessChange::AddRole { name }
        | AccessChange::DeleteRole { name }
        | AccessChange::Grant { role: name, .. }
        | AccessChange::Revoke { role: name, .. } => ("roles", name),
    };
    if !is_kept(state, kind, name) && !state.memory.several_operators {
        state.violated(format!("{}, and nothing says that it is kept", change.words()));
    }
}

/// By any cluster: no world here has two.
fn is_kept(state: &State, kind: &str, name: &str) -> bool {
    let clusters = state.api.of_kind("EtcdCluster");
    let entries = clusters.flat_map(|(_, one)| super::kubelet::items(one, &format!("/status/access/{kind}")));
    entries.into_iter().any(|one| text(one, "/name") == name)
}

fn one_process_per_volume(state: &mut State) {
    let mut seen = BTreeMap::new();
    let mut twice = Vec::new();
    for process in state.processes.values() {
        if let Some(other) = seen.insert(&process.disk, &process.pod.name) {
            twice.push(format!("{} and {other} run on one volume", process.pod.name));
        }
    }
    twice.into_iter().for_each(|what| state.violated(what));
}

/// Of all histories of one EtcdCluster, one has a quorum.
fn one_cluster_at_a_time(state: &mut State) {
    let alive: Vec<String> = (0..state.histories.len())
        .filter(|one| has_quorum(state, *one))
        .map(|one| state.histories[one].owner.clone())
        .collect();
    let distinct: BTreeSet<&String> = alive.iter().collect();
    if distinct.len() < alive.len() {
        state.violated("two clusters serve for one EtcdCluster");
    }
}
