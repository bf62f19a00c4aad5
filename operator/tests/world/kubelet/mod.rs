//! Everything in Kubernetes that is neither the API server nor the operator: garbage collection, volumes, the
//! scheduler and the kubelets.

mod copy;
mod flags;
mod garbage;
mod pods;
mod restore;
mod status;
mod volumes;
mod work;

use serde_json::{Value, json};

pub use flags::Flags;
pub use status::report;
pub use volumes::{Data, Disk};

use super::{Key, State, kind_named};

pub const NODES: [&str; 3] = ["node-1", "node-2", "node-3"];

/// A member that runs.
#[derive(Clone, Debug)]
pub struct Process {
    pub pod: Key,
    pub flags: Flags,
    pub ip: String,
    /// UID of the claim of its volume.
    pub disk: String,
    pub history: usize,
    pub member_id: u64,
    /// `3.6.14`
    pub version: String,
    /// Tick of its start.
    pub since: u64,
    /// PEM, read once at the start.
    pub client_authorities: Option<String>,
    pub peer_authorities: Option<String>,
}

impl Process {
    pub fn minor(&self) -> u64 {
        flags::minor(&self.version)
    }
}

/// What is there before anybody comes.
pub fn furnish(state: &mut State) {
    let mut create = |object: Value| {
        let kind = kind_named(object["kind"].as_str().expect("kind"));
        state.api.create(kind, "", object).expect("created");
    };
    for node in NODES {
        create(json!({"kind": "Node", "metadata": {"name": node, "labels": {"kubernetes.io/hostname": node}}}));
    }
    create(json!({"kind": "Namespace", "metadata": {"name": "default"}}));
    for (name, grows) in [("standard", true), ("other", true), ("fixed", false)] {
        let default = (name == "standard").to_string();
        let meta = json!({"name": name, "annotations": {"storageclass.kubernetes.io/is-default-class": default}});
        create(
            json!({"kind": "StorageClass", "metadata": meta, "provisioner": "fake", "allowVolumeExpansion": grows,
                      "reclaimPolicy": "Delete"}),
        );
    }
}

/// One tick, before the members have theirs.
pub fn tick(state: &mut State) {
    garbage::collect(state);
    volumes::tick(state);
    pods::end(state);
    volumes::protect(state);
    pods::schedule(state);
    pods::start(state);
    copy::tick(state);
}

pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn items<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object
        .pointer(pointer)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// Names of the volume claims of a pod.
pub(super) fn claims_of(pod: &Value) -> Vec<&str> {
    items(pod, "/spec/volumes")
        .iter()
        .map(|volume| text(volume, "/persistentVolumeClaim/claimName"))
        .filter(|name| !name.is_empty())
        .collect()
}
