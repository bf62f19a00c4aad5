//! Who reaches whom.

use super::super::State;
use super::super::api::Key;
use super::super::kubelet::{Process, text};
use super::handshake;

/// The members that run and count in this history, by ID.
pub fn running(state: &State, history: usize) -> Vec<Process> {
    let roster = &state.histories[history].members;
    let here = state
        .processes
        .values()
        .filter(|one| one.history == history && roster.contains_key(&one.member_id));
    here.cloned().collect()
}

/// The member reaches the one with this ID, and is reached by it.
pub fn in_touch(state: &State, process: &Process, id: u64) -> bool {
    if process.member_id == id {
        return true;
    }
    let other = state
        .processes
        .values()
        .find(|other| other.history == process.history && other.member_id == id);
    other.is_some_and(|other| reaches(state, process, other) && reaches(state, other, process))
}

/// A connection between members, by name and with certificates if there are any.
pub fn reaches(state: &State, from: &Process, to: &Process) -> bool {
    let isolated = &state.controls.isolated;
    let url = to
        .flags
        .list("initial-advertise-peer-urls")
        .into_iter()
        .next()
        .unwrap_or_default();
    !isolated.contains(&from.pod.name)
        && !isolated.contains(&to.pod.name)
        && resolves(state, &url, to)
        && handshake::peers(state, from, to, (&url, host_of(&url))).is_ok()
}

pub fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.rsplit_once(':')
        .map_or(rest, |(host, _)| host)
        .trim_matches(['[', ']'])
}

/// `HOSTNAME.SUBDOMAIN.NAMESPACE.svc...` leads to the pod only through a headless Service that selects it.
fn resolves(state: &State, url: &str, to: &Process) -> bool {
    let host = host_of(url);
    if host == to.ip {
        return true;
    }
    let mut parts = host.split('.');
    let (name, service, namespace) = (parts.next(), parts.next(), parts.next());
    let Some(pod) = state.api.objects.get(&to.pod) else {
        return false;
    };
    let named = name == Some(text(pod, "/spec/hostname")) && service == Some(text(pod, "/spec/subdomain"));
    let service = state
        .api
        .objects
        .get(&Key::new("Service", &to.pod.namespace, service.unwrap_or_default()));
    named
        && namespace == Some(to.pod.namespace.as_str())
        && service.is_some_and(|service| {
            let labels = &pod["metadata"]["labels"];
            let selector = service["spec"]["selector"].as_object();
            let selects = selector.is_some_and(|all| all.iter().all(|(key, value)| labels[key] == *value));
            // Members must find each other before they are ready.
            selects && service["spec"]["publishNotReadyAddresses"] == true && service["spec"]["clusterIP"] == "None"
        })
}
