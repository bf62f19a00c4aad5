//! What kubelets and the node controller tell of pods and nodes.

use serde_json::{Value, json};

use super::pods::{condition, container_name, restarts, status};
use super::{NODES, text};
use crate::world::api::Key;
use crate::world::{State, etcd};

pub fn report(state: &mut State) {
    nodes(state);
    let pods: Vec<Key> = state.api.of_kind("Pod").map(|(key, _)| key.clone()).collect();
    for key in pods {
        let pod = state.api.objects[&key].clone();
        let uid = text(&pod, "/metadata/uid").to_owned();
        if state.controls.nodes_down.contains(text(&pod, "/spec/nodeName")) {
            state
                .api
                .edit(&key, |pod| condition(pod, "Ready", false, "NodeNotReady", ""));
        } else if state.processes.contains_key(&uid) {
            let ready = etcd::is_ready(state, &uid);
            state.api.edit(&key, |pod| running(pod, ready));
        } else if !text(&pod, "/status/containerStatuses/0/state/running/startedAt").is_empty() {
            state.api.edit(&key, ended);
        }
    }
}

fn running(pod: &mut Value, ready: bool) {
    let name = container_name(pod);
    let last = pod
        .pointer("/status/containerStatuses/0/lastState")
        .cloned()
        .unwrap_or(Value::Null);
    let count = restarts(pod);
    pod["status"]["phase"] = json!("Running");
    let since = json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}});
    pod["status"]["containerStatuses"] = json!([status(&name, ready, count, since, last)]);
    let reason = if ready { "" } else { "ContainersNotReady" };
    condition(pod, "Ready", ready, reason, "");
    condition(pod, "ContainersReady", ready, reason, "");
}

/// It ran and does not any more: the next tick starts it again.
fn ended(pod: &mut Value) {
    let name = container_name(pod);
    let ended = json!({"terminated": {"exitCode": 1, "reason": "Error"}});
    let count = restarts(pod) + 1;
    pod["status"]["containerStatuses"] = json!([status(&name, false, count, ended.clone(), ended)]);
    condition(pod, "Ready", false, "ContainersNotReady", "");
}

fn nodes(state: &mut State) {
    for node in NODES {
        let up = !state.controls.nodes_down.contains(node);
        let (value, taints) = if up {
            ("True", json!([]))
        } else {
            (
                "Unknown",
                json!([{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}]),
            )
        };
        state.api.edit(&Key::new("Node", "", node), |node| {
            node["status"]["conditions"] = json!([{"type": "Ready", "status": value}]);
            node["spec"]["taints"] = taints;
        });
    }
}
