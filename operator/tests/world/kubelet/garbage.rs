//! The garbage collector: what has no owner any more goes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{items, text};
use crate::world::State;
use crate::world::api::Key;

pub fn collect(state: &mut State) {
    let uids: BTreeSet<String> = state
        .api
        .objects
        .values()
        .map(|object| text(object, "/metadata/uid").to_owned())
        .collect();
    let orphans: Vec<Key> = state
        .api
        .objects
        .iter()
        .filter(|(_, object)| is_orphan(object, &uids))
        .map(|(key, _)| key.clone())
        .collect();
    for key in orphans {
        state.note(format!("garbage collector: deletes {} {}", key.kind, key.name));
        let _ = state.api.delete(&key, &Default::default());
    }
    finalize(state);
}

fn is_orphan(object: &Value, uids: &BTreeSet<String>) -> bool {
    let owners = items(object, "/metadata/ownerReferences");
    let deleted = !object["metadata"]["deletionTimestamp"].is_null();
    !owners.is_empty() && !deleted && owners.iter().all(|owner| !uids.contains(text(owner, "/uid")))
}

/// `foregroundDeletion` waits for the dependents and deletes them, `orphan` lets them go.
fn finalize(state: &mut State) {
    let waiting: Vec<(Key, String)> = state
        .api
        .objects
        .iter()
        .flat_map(|(key, object)| {
            let deleted = !object["metadata"]["deletionTimestamp"].is_null();
            let finalizers = items(object, "/metadata/finalizers").iter().filter_map(Value::as_str);
            finalizers
                .filter(move |_| deleted)
                .map(|one| (key.clone(), one.to_owned()))
                .collect::<Vec<_>>()
        })
        .collect();
    for (key, finalizer) in waiting {
        let uid = text(&state.api.objects[&key], "/metadata/uid").to_owned();
        let dependents: Vec<Key> = state
            .api
            .objects
            .iter()
            .filter(|(_, object)| owned_by(object, &uid))
            .map(|(key, _)| key.clone())
            .collect();
        match finalizer.as_str() {
            "foregroundDeletion" if !dependents.is_empty() => {
                dependents
                    .iter()
                    .for_each(|key| drop(state.api.delete(key, &Default::default())));
            }
            "orphan" => dependents
                .iter()
                .for_each(|key| state.api.edit(key, |object| disown(object, &uid))),
            "foregroundDeletion" => {}
            _ => continue,
        }
        if finalizer == "orphan" || dependents.is_empty() {
            release(state, &key, &finalizer);
        }
    }
}

pub fn release(state: &mut State, key: &Key, finalizer: &str) {
    state.api.edit(key, |object| {
        if let Some(all) = object["metadata"]["finalizers"].as_array_mut() {
            all.retain(|one| one != finalizer);
        }
    });
}

fn owned_by(object: &Value, uid: &str) -> bool {
    items(object, "/metadata/ownerReferences")
        .iter()
        .any(|owner| text(owner, "/uid") == uid)
}

fn disown(object: &mut Value, uid: &str) {
    let left: Vec<Value> = items(object, "/metadata/ownerReferences")
        .iter()
        .filter(|owner| text(owner, "/uid") != uid)
        .cloned()
        .collect();
    object["metadata"]["ownerReferences"] = json!(left);
}
