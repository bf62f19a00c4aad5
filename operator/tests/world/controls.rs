//! What a test does to the world.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Key, World};

/// What is wrong at present. Pods by their names, nodes by theirs.
#[derive(Clone, Default)]
pub struct Controls {
    pub nodes_down: BTreeSet<String>,
    pub unschedulable: BTreeSet<String>,
    pub unpullable_images: BTreeSet<String>,
    /// The program ends as soon as it starts.
    pub crashing: BTreeSet<String>,
    /// It runs, and nobody reaches it over the network.
    pub isolated: BTreeSet<String>,
    /// It never catches up.
    pub slow: BTreeSet<String>,
    /// Volumes do not grow, though they were asked to.
    pub no_growth: bool,
    /// Volume claims stay unbound.
    pub no_volumes: bool,
    /// Clients write nothing.
    pub no_writes: bool,
    /// What pods of backups say, whatever they are asked for: a reason, and whether it is hopeless.
    pub work_fails: Option<(String, bool)>,
    /// Requests that the operator's Role does not grant are refused, and must not be made.
    pub only_what_is_granted: bool,
}

impl World {
    /// Changes what is wrong.
    pub fn control(&self, change: impl FnOnce(&mut Controls)) {
        change(&mut self.state().controls);
    }

    /// The pod's program ends once and is started again by its kubelet.
    pub fn crash(&self, pod: &str) {
        let mut state = self.state();
        state.processes.retain(|_, process| process.pod.name != pod);
        state.note(format!("test: {pod} crashes"));
    }

    /// The pod's node goes, and takes what runs on it.
    pub fn fail_node_of(&self, pod: &str) -> String {
        let mut state = self.state();
        let node = state.api.objects[&Key::new("Pod", "default", pod)]["spec"]["nodeName"]
            .as_str()
            .expect("a node")
            .to_owned();
        state.controls.nodes_down.insert(node.clone());
        state.note(format!("test: {node} fails"));
        node
    }

    pub fn mend_node(&self, node: &str) {
        self.state().controls.nodes_down.remove(node);
    }

    /// What is on the volume cannot be read any more; the program ends as it starts.
    pub fn ruin_volume(&self, claim: &str) {
        self.with_disk(claim, |disk| disk.corrupt = true);
        self.stop_on(claim);
    }

    /// The volume is empty all of a sudden, though its claim is the same.
    pub fn empty_volume(&self, claim: &str) {
        self.stop_on(claim);
        self.with_disk(claim, |disk| disk.data = None);
    }

    /// A user deletes the claim; the volume goes with it as soon as no pod uses it.
    pub fn delete_claim(&self, claim: &str) {
        let mut state = self.state();
        let key = Key::new("PersistentVolumeClaim", "default", claim);
        let uid = state.api.objects[&key]["metadata"]["uid"]
            .as_str()
            .expect("a UID")
            .to_owned();
        state.memory.by_user.insert(uid);
        state.note(format!("test: deletes {claim}"));
        state.api.delete(&key, &Default::default()).expect("deleted");
    }

    /// A user deletes an object.
    pub fn delete(&self, kind: &'static str, name: &str) {
        let mut state = self.state();
        let key = Key::new(kind, "default", name);
        let uid = state.api.objects[&key]["metadata"]["uid"]
            .as_str()
            .expect("a UID")
            .to_owned();
        state.memory.by_user.insert(uid);
        state.note(format!("test: deletes {kind} {name}"));
        state.api.delete(&key, &Default::default()).expect("deleted");
    }

    /// etcd raises an alarm for this member.
    pub fn alarm(&self, pod: &str, kind: taffrail_operator::etcd::AlarmKind) {
        let mut state = self.state();
        let process = state
            .processes
            .values()
            .find(|process| process.pod.name == pod)
            .expect("it runs");
        let (history, member_id) = (process.history, process.member_id);
        state.histories[history]
            .alarms
            .insert(taffrail_operator::etcd::Alarm { member_id, kind });
    }

    /// Bytes that every member has allocated and uses, and what is left of them once history is compacted away.
    pub fn fill(&self, allocated: i64, in_use: i64, live: i64) {
        let mut state = self.state();
        let history = state.histories.last_mut().expect("a cluster");
        history.sizes = history.members.keys().map(|id| (*id, (allocated, in_use))).collect();
        history.live_bytes = live;
    }

    /// Somebody changes users or roles with etcdctl.
    pub fn change_access(&self, change: taffrail_operator::etcd::AccessChange) {
        let mut state = self.state();
        state.note(format!("test: {}", change.words()));
        let history = state.histories.last_mut().expect("a cluster");
        super::etcd::change(history, change).expect("etcd takes it");
    }

    /// A Secret with texts.
    pub fn secret(&self, name: &str, data: &[(&str, &str)]) {
        let data: serde_json::Map<_, _> = data
            .iter()
            .map(|(key, text)| ((*key).to_owned(), json!(text)))
            .collect();
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data});
        self.create(&secret.to_string());
    }

    fn with_disk(&self, claim: &str, change: impl FnOnce(&mut super::Disk)) {
        let mut state = self.state();
        state.note(format!("test: harms {claim}"));
        let disk = state
            .disks
            .values_mut()
            .find(|disk| disk.claim.name == claim && !disk.gone)
            .expect("a volume");
        change(disk);
    }

    fn stop_on(&self, claim: &str) {
        let mut state = self.state();
        let uid = state
            .disks
            .iter()
            .find(|(_, disk)| disk.claim.name == claim && !disk.gone)
            .map(|(uid, _)| uid.clone());
        state.processes.retain(|_, process| Some(&process.disk) != uid.as_ref());
    }
}
