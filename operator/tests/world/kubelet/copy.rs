//! Pods that are no members: they copy one volume to another, or work for a backup, and end.

use serde_json::{Value, json};

use super::flags::Flags;
use super::pods::condition;
use super::{claims_of, items, text, work};
use crate::world::State;
use crate::world::api::Key;

pub fn tick(state: &mut State) {
    work::jobs(state);
    let pods: Vec<Key> = state.api.of_kind("Pod").map(|(key, _)| key.clone()).collect();
    for key in pods {
        let pod = state.api.objects[&key].clone();
        let waits = text(&pod, "/status/phase") == "Pending" && pod["metadata"]["deletionTimestamp"].is_null();
        let node = text(&pod, "/spec/nodeName");
        let placed = !node.is_empty() && !state.controls.nodes_down.contains(node);
        if waits && placed && Flags::of(&pod, "").is_none() && volumes_are_free(state, &key, &pod) {
            match work::request(&pod) {
                Some(request) => work::run(state, &key, &pod, &request),
                None => copy(state, &key, &pod),
            }
        }
    }
}

fn uid(state: &State, key: &Key, claim: &str) -> Option<String> {
    let claim = state
        .api
        .objects
        .get(&Key::new("PersistentVolumeClaim", &key.namespace, claim))?;
    (claim["status"]["phase"] == "Bound").then(|| text(claim, "/metadata/uid").to_owned())
}

fn volumes_are_free(state: &State, key: &Key, pod: &Value) -> bool {
    let used = |disk: &String| state.processes.values().any(|process| process.disk == *disk);
    claims_of(pod)
        .iter()
        .all(|claim| uid(state, key, claim).is_some_and(|disk| !used(&disk)))
}

/// From the volume that is mounted read-only, or the first, to the other.
fn copy(state: &mut State, key: &Key, pod: &Value) {
    let read_only = |name: &str| {
        let volume = items(pod, "/spec/volumes")
            .iter()
            .find(|one| text(one, "/persistentVolumeClaim/claimName") == name);
        let mounts = items(pod, "/spec/containers/0/volumeMounts");
        volume.is_some_and(|volume| {
            volume["persistentVolumeClaim"]["readOnly"] == true
                || mounts
                    .iter()
                    .any(|mount| mount["name"] == volume["name"] && mount["readOnly"] == true)
        })
    };
    let claims = claims_of(pod);
    let from = claims.iter().find(|claim| read_only(claim)).or(claims.first()).copied();
    let to = claims.iter().find(|claim| Some(**claim) != from).copied();
    if let (Some(from), Some(to)) = (from, to) {
        let (from, to) = (uid(state, key, from), uid(state, key, to));
        let data = from.and_then(|from| state.disks[&from].data.clone());
        state.disks.get_mut(&to.expect("bound")).expect("a volume").data = data;
        state.note(format!("kubelet: {} copied", key.name));
    }
    state.api.edit(key, |pod| {
        pod["status"]["phase"] = json!("Succeeded");
        condition(pod, "Ready", false, "PodCompleted", "");
    });
}
