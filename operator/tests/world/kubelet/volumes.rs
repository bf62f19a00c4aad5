//! Volumes: one per claim, empty at first, gone with the claim.

use serde_json::{Value, json};

use super::garbage::release;
use super::{claims_of, text};
use crate::world::api::Key;
use crate::world::{State, invariants};

const PROTECTION: &str = "kubernetes.io/pvc-protection";

/// A volume. It stays here after its claim is gone, so that what was on it can be told.
#[derive(Clone, Debug)]
pub struct Disk {
    pub claim: Key,
    pub data: Option<Data>,
    pub corrupt: bool,
    pub gone: bool,
}

/// What a member keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    pub history: usize,
    pub member_id: u64,
    /// Entries of the history's log that are here.
    pub entries: usize,
    /// It knows that it was removed from the cluster: it never runs again.
    pub removed: bool,
}

/// Binds claims, grows volumes, forgets volumes whose claim is gone.
pub fn tick(state: &mut State) {
    forget(state);
    let claims: Vec<Key> = state
        .api
        .of_kind("PersistentVolumeClaim")
        .map(|(key, _)| key.clone())
        .collect();
    for key in claims {
        default_class(state, &key);
        let claim = state.api.objects[&key].clone();
        if claim["status"]["phase"] == "Pending" && !state.controls.no_volumes && class_exists(state, &claim) {
            bind(state, &key, &claim);
        } else if claim["status"]["phase"] == "Bound" && !state.controls.no_growth {
            let wanted = claim["spec"]["resources"]["requests"]["storage"].clone();
            state
                .api
                .edit(&key, |claim| claim["status"]["capacity"]["storage"] = wanted);
        }
    }
}

fn default_class(state: &mut State, key: &Key) {
    state.api.edit(key, |claim| {
        if claim["spec"]["storageClassName"].is_null() {
            claim["spec"]["storageClassName"] = json!("standard");
        }
    });
}

fn class_exists(state: &State, claim: &Value) -> bool {
    state
        .api
        .objects
        .contains_key(&Key::new("StorageClass", "", text(claim, "/spec/storageClassName")))
}

fn bind(state: &mut State, key: &Key, claim: &Value) {
    let uid = text(claim, "/metadata/uid").to_owned();
    let capacity = claim["spec"]["resources"]["requests"]["storage"].clone();
    let data = claim["spec"]["dataSource"]["name"].as_str().and_then(|from| {
        state
            .disks
            .values()
            .find(|disk| disk.claim.name == from && !disk.gone)
            .and_then(|disk| disk.data.clone())
    });
    state.disks.insert(
        uid.clone(),
        Disk {
            claim: key.clone(),
            data,
            corrupt: false,
            gone: false,
        },
    );
    state.api.edit(key, |claim| {
        claim["spec"]["volumeName"] = json!(format!("pv-{uid}"));
        claim["status"] =
            json!({"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": capacity}});
    });
}

/// A claim that a pod uses stays until the pod is gone.
pub fn protect(state: &mut State) {
    let in_use: Vec<Key> = state
        .api
        .of_kind("Pod")
        .flat_map(|(key, pod)| {
            let ended = matches!(text(pod, "/status/phase"), "Succeeded" | "Failed");
            let claims = if ended { Vec::new() } else { claims_of(pod) };
            claims
                .into_iter()
                .map(|name| Key::new("PersistentVolumeClaim", &key.namespace, name))
                .collect::<Vec<_>>()
        })
        .collect();
    let deleted = |claim: &Value| !claim["metadata"]["deletionTimestamp"].is_null();
    let free: Vec<Key> = state
        .api
        .of_kind("PersistentVolumeClaim")
        .filter(|(key, claim)| deleted(claim) && !in_use.contains(key))
        .map(|(key, _)| key.clone())
        .collect();
    free.iter().for_each(|key| release(state, key, PROTECTION));
    forget(state);
}

/// What was on the volume of a claim that is gone is gone.
pub fn forget(state: &mut State) {
    for (key, object) in std::mem::take(&mut state.api.removed) {
        if key.kind == "PersistentVolumeClaim" {
            invariants::claim_gone(state, &key, &object);
            if let Some(disk) = state.disks.get_mut(text(&object, "/metadata/uid")) {
                disk.gone = true;
            }
        }
        invariants::gone(state, &key, &object);
    }
}
