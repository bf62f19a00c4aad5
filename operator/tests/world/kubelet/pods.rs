//! Scheduler and kubelets: pods get a node, start what they hold, and end.

use serde_json::{Value, json};

use super::flags::{Flags, version_of};
use super::{NODES, Process, claims_of, items, text};
use crate::world::api::Key;
use crate::world::{State, etcd};

/// Pods that are being deleted end, if their node is there to end them.
pub fn end(state: &mut State) {
    let deleted: Vec<(Key, Value)> = pods(state)
        .filter(|(_, pod)| !pod["metadata"]["deletionTimestamp"].is_null())
        .collect();
    for (key, pod) in deleted {
        let node = text(&pod, "/spec/nodeName");
        if state.controls.nodes_down.contains(node) {
            continue;
        }
        state.processes.remove(text(&pod, "/metadata/uid"));
        state
            .api
            .edit(&key, |pod| pod["metadata"]["deletionGracePeriodSeconds"] = json!(0));
        state.note(format!("kubelet: {} ended", key.name));
    }
    let there: Vec<String> = pods(state)
        .map(|(_, pod)| text(&pod, "/metadata/uid").to_owned())
        .collect();
    let down = state.controls.nodes_down.clone();
    let nodes: std::collections::BTreeMap<String, String> = pods(state)
        .map(|(_, pod)| {
            (
                text(&pod, "/metadata/uid").to_owned(),
                text(&pod, "/spec/nodeName").to_owned(),
            )
        })
        .collect();
    // Whatever lost its pod or its node does not run any more.
    state
        .processes
        .retain(|uid, _| there.contains(uid) && !nodes.get(uid).is_some_and(|node| down.contains(node)));
}

fn pods(state: &State) -> impl Iterator<Item = (Key, Value)> {
    state
        .api
        .of_kind("Pod")
        .map(|(key, pod)| (key.clone(), pod.clone()))
        .collect::<Vec<_>>()
        .into_iter()
}

/// A pod whose claims exist gets the node with the fewest pods.
pub fn schedule(state: &mut State) {
    for (key, pod) in pods(state).collect::<Vec<_>>() {
        let free = pod["spec"]["nodeName"].is_null() && pod["metadata"]["deletionTimestamp"].is_null();
        if !free {
            continue;
        }
        match node_for(state, &key, &pod) {
            Ok(node) => state.api.edit(&key, |pod| {
                pod["spec"]["nodeName"] = json!(node);
                condition(pod, "PodScheduled", true, "", "");
            }),
            Err(why) => state
                .api
                .edit(&key, |pod| condition(pod, "PodScheduled", false, "Unschedulable", &why)),
        }
    }
}

fn node_for(state: &State, key: &Key, pod: &Value) -> Result<String, String> {
    if state.controls.unschedulable.contains(&key.name) {
        return Err("0/3 nodes are available: 3 Insufficient cpu.".into());
    }
    for claim in claims_of(pod) {
        let found = state
            .api
            .objects
            .get(&Key::new("PersistentVolumeClaim", &key.namespace, claim));
        if found.is_none_or(|claim| !claim["metadata"]["deletionTimestamp"].is_null()) {
            return Err(format!("persistentvolumeclaim {claim:?} not found"));
        }
    }
    let load = |node: &str| {
        state
            .api
            .of_kind("Pod")
            .filter(|(_, pod)| text(pod, "/spec/nodeName") == node)
            .count()
    };
    let up = NODES
        .into_iter()
        .filter(|node| !state.controls.nodes_down.contains(*node));
    up.min_by_key(|node| load(node))
        .map(str::to_owned)
        .ok_or_else(|| "0/3 nodes are available".into())
}

/// Starts what is not running on nodes that are up.
pub fn start(state: &mut State) {
    for (key, pod) in pods(state).collect::<Vec<_>>() {
        let uid = text(&pod, "/metadata/uid").to_owned();
        let node = text(&pod, "/spec/nodeName");
        let is_wanted = pod["metadata"]["deletionTimestamp"].is_null()
            && !matches!(text(&pod, "/status/phase"), "Succeeded" | "Failed");
        if node.is_empty()
            || state.controls.nodes_down.contains(node)
            || !is_wanted
            || state.processes.contains_key(&uid)
        {
            continue;
        }
        let ip = address(state, &key, &pod);
        let Some(flags) = Flags::of(&pod, &ip) else { continue };
        let outcome = why_not_started(state, &key, &pod)
            .map_or(Ok(()), Err)
            .and_then(|()| run(state, &key, &pod, flags, ip));
        match outcome {
            Ok(process) => {
                state.note(format!("kubelet: {} runs as {:x}", key.name, process.member_id));
                state.processes.insert(uid, process);
            }
            Err(why) => failed(state, &key, &why),
        }
    }
}

fn address(state: &mut State, key: &Key, pod: &Value) -> String {
    let known = text(pod, "/status/podIP");
    if !known.is_empty() {
        return known.to_owned();
    }
    state.ips += 1;
    let ip = format!("10.244.{}.{}", state.ips / 250, state.ips % 250 + 1);
    state.api.edit(key, |pod| {
        pod["status"]["podIP"] = json!(ip);
        pod["status"]["podIPs"] = json!([{"ip": ip}]);
        pod["status"]["hostIP"] = json!("192.168.0.1");
    });
    ip
}

/// A container that does not come into being, and one that ended with a code.
pub enum Failure {
    Waiting(&'static str, String),
    Exited(String),
}

fn why_not_started(state: &State, key: &Key, pod: &Value) -> Option<Failure> {
    for container in items(pod, "/spec/containers")
        .iter()
        .chain(items(pod, "/spec/initContainers"))
    {
        let image = text(container, "/image");
        if state.controls.unpullable_images.iter().any(|bad| image.contains(bad)) {
            return Some(Failure::Waiting(
                "ImagePullBackOff",
                format!("Back-off pulling image {image:?}"),
            ));
        }
    }
    for volume in items(pod, "/spec/volumes") {
        let projected = items(volume, "/projected/sources")
            .iter()
            .map(|source| text(source, "/secret/name"));
        for secret in [text(volume, "/secret/secretName")]
            .into_iter()
            .chain(projected)
            .filter(|name| !name.is_empty())
        {
            if !state
                .api
                .objects
                .contains_key(&Key::new("Secret", &key.namespace, secret))
            {
                return Some(Failure::Waiting(
                    "ContainerCreating",
                    format!("secret {secret:?} not found"),
                ));
            }
        }
    }
    let unbound = claims_of(pod).into_iter().find(|name| {
        let claim = state
            .api
            .objects
            .get(&Key::new("PersistentVolumeClaim", &key.namespace, name));
        claim.is_none_or(|claim| claim["status"]["phase"] != "Bound")
    });
    unbound.map(|name| Failure::Waiting("ContainerCreating", format!("claim {name} is not bound")))
}

fn run(state: &mut State, key: &Key, pod: &Value, flags: Flags, ip: String) -> Result<Process, Failure> {
    if state.controls.crashing.contains(&key.name) {
        return Err(Failure::Exited("it was told to".into()));
    }
    if let Some(flag) = flags.misses_a_file(state) {
        return Err(Failure::Exited(format!("the file of --{flag} cannot be read")));
    }
    let claim = claims_of(pod)
        .first()
        .map(|name| Key::new("PersistentVolumeClaim", &key.namespace, name));
    let claim = claim.ok_or_else(|| Failure::Exited("it has no volume".into()))?;
    let disk = text(&state.api.objects[&claim], "/metadata/uid").to_owned();
    let version = version_of(pod);
    let owner = etcd::owner(state, pod);
    let (history, member_id) = etcd::start(state, &flags, &disk, &version, &owner, key).map_err(Failure::Exited)?;
    crate::world::invariants::started(state, key, &disk);
    let client_authorities = flags.file(state, "trusted-ca-file");
    let peer_authorities = flags.file(state, "peer-trusted-ca-file");
    Ok(Process {
        pod: key.clone(),
        flags,
        ip,
        disk,
        history,
        member_id,
        version,
        since: state.ticks,
        client_authorities,
        peer_authorities,
    })
}

fn failed(state: &mut State, key: &Key, why: &Failure) {
    let name = container_name(&state.api.objects[key]);
    let now = state.api.now.clone();
    match why {
        Failure::Waiting(reason, message) => state.api.edit(key, |pod| {
            let waiting = json!({"waiting": {"reason": reason, "message": message}});
            let count = restarts(pod);
            pod["status"]["containerStatuses"] = json!([status(&name, false, count, waiting, Value::Null)]);
        }),
        Failure::Exited(message) => {
            state.note(format!("kubelet: {} ends: {message}", key.name));
            state.api.edit(key, |pod| {
                let waiting = json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}});
                let ended =
                    json!({"terminated": {"exitCode": 1, "reason": "Error", "message": message, "finishedAt": now}});
                let count = restarts(pod) + 1;
                pod["status"]["phase"] = json!("Running");
                pod["status"]["containerStatuses"] = json!([status(&name, false, count, waiting, ended)]);
                condition(pod, "Ready", false, "ContainersNotReady", "");
            });
        }
    }
}

pub fn restarts(pod: &Value) -> i64 {
    pod.pointer("/status/containerStatuses/0/restartCount")
        .and_then(Value::as_i64)
        .unwrap_or(0)
}

pub fn container_name(pod: &Value) -> String {
    text(pod, "/spec/containers/0/name").to_owned()
}

pub fn status(name: &str, ready: bool, restarts: i64, state: Value, last: Value) -> Value {
    let last = if last.is_null() { json!({}) } else { last };
    json!({"name": name, "ready": ready, "started": state["running"].is_object(), "restartCount": restarts, "image": "",
           "imageID": "", "state": state, "lastState": last})
}

/// Sets a condition; its time changes with its value only.
pub fn condition(pod: &mut Value, kind: &str, value: bool, reason: &str, message: &str) {
    if !pod["status"]["conditions"].is_array() {
        pod["status"]["conditions"] = json!([]);
    }
    let all = pod["status"]["conditions"].as_array_mut().expect("made one");
    let value = if value { "True" } else { "False" };
    let condition = json!({"type": kind, "status": value, "reason": reason, "message": message});
    match all.iter_mut().find(|one| one["type"] == kind) {
        Some(one) => *one = condition,
        None => all.push(condition),
    }
}
