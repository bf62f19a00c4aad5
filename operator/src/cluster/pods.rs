//! Reading pods: what is wrong with one, in words.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;
use taffrail_crds::{POD_HASH, ROLE};

use crate::etcd::EtcdError;

/// The container that runs the member.
pub const CONTAINER: &str = "etcd";

/// Restarts after which a member that never gets ready is not expected to get ready by itself.
const CRASHES_ENOUGH: i32 = 5;

pub fn container(pod: &Pod) -> Option<&ContainerStatus> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    statuses.iter().find(|status| status.name == CONTAINER)
}

pub fn why_not_running(pod: &Pod) -> String {
    let waiting = container(pod).and_then(|status| status.state.as_ref()?.waiting.as_ref());
    if let Some(waiting) = waiting.and_then(|state| state.reason.as_ref().map(|reason| (reason, &state.message))) {
        let message = waiting.1.as_deref().map_or(String::new(), |text| format!(": {text}"));
        return format!("its container waits: {}{message}", waiting.0);
    }
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let unscheduled = conditions
        .into_iter()
        .flatten()
        .find(|one| one.type_ == "PodScheduled" && one.status == "False");
    match unscheduled.and_then(|one| one.message.as_ref()) {
        Some(message) => format!("its pod cannot be scheduled: {message}"),
        None => format!("its pod is {}", phase(pod)),
    }
}

pub fn why_not_answering(pod: &Pod, error: &EtcdError) -> String {
    match container(pod).filter(|status| status.restart_count > 0 && !status.ready) {
        Some(status) => format!("it restarted {} times and {error}", status.restart_count),
        None => error.to_string(),
    }
}

pub fn phase(pod: &Pod) -> &str {
    pod.status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        .unwrap_or("Pending")
}

/// It has ended for good: evicted, or its node took it down.
pub fn has_ended(pod: &Pod) -> bool {
    matches!(phase(pod), "Failed" | "Succeeded")
}

/// When the last of its containers ended.
pub fn ended_at(pod: &Pod) -> Option<jiff::Timestamp> {
    let status = pod.status.as_ref()?;
    let all = [&status.init_container_statuses, &status.container_statuses];
    let ends = all.into_iter().flatten().flatten().filter_map(|one| {
        let end = one.state.as_ref()?.terminated.as_ref()?;
        end.finished_at.as_ref().map(|at| at.0)
    });
    ends.max()
}

pub fn is_going(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// It crashes again and again, and not for want of memory, which the same data would not cure.
pub fn crashes_for_good(pod: &Pod) -> bool {
    container(pod).is_some_and(|status| {
        let last = status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
        let killed_for_memory = last.and_then(|end| end.reason.as_deref()) == Some("OOMKilled");
        status.restart_count >= CRASHES_ENOUGH && !status.ready && !killed_for_memory
    })
}

pub fn hash_of(pod: &Pod) -> &str {
    pod.annotations().get(POD_HASH).map_or("", String::as_str)
}

pub fn role_of(pod: &Pod) -> &str {
    pod.labels().get(ROLE).map_or("", String::as_str)
}
