//! The pod that fills a first member's volume: it fetches, restores and finishes at once.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use taffrail_operator::backup::request::{Fetch, HOPELESS, Outcome, REQUEST, Request};

use super::pods::status;
use super::{Data, claims_of, items, text};
use crate::world::api::Key;
use crate::world::etcd::{History, Member, hash};
use crate::world::{State, Stored, invariants};

/// How each container ended: its name, exit code and last words.
type Ends = Vec<(&'static str, i32, String)>;

pub fn run(state: &mut State, key: &Key, pod: &Value) {
    let ends = work(state, key, pod);
    let failed = ends.iter().any(|(_, code, _)| *code != 0);
    state.note(format!(
        "kubelet: {} has {}",
        key.name,
        if failed { "failed" } else { "restored" }
    ));
    let now = state.api.now.clone();
    let told = ends.iter().map(|(name, code, words)| {
        let end = json!({"terminated": {"exitCode": code, "message": words, "finishedAt": now}});
        (*name, status(name, false, 0, end, Value::Null))
    });
    let (mains, inits): (Vec<_>, Vec<_>) = told.partition(|(name, _)| *name == "finish");
    let plain = |all: Vec<(&str, Value)>| all.into_iter().map(|(_, one)| one).collect::<Vec<_>>();
    state.api.edit(key, |pod| {
        pod["status"]["initContainerStatuses"] = json!(plain(inits));
        pod["status"]["containerStatuses"] = json!(plain(mains));
        pod["status"]["phase"] = json!(if failed { "Failed" } else { "Succeeded" });
    });
}

fn work(state: &mut State, key: &Key, pod: &Value) -> Ends {
    if let Some((reason, hopeless)) = state.controls.work_fails.clone() {
        let code = if hopeless { HOPELESS } else { 1 };
        let message = "as the test wants".into();
        return vec![(
            "fetch",
            code,
            said(&Outcome::Failed {
                reason,
                message,
                hopeless,
            }),
        )];
    }
    let fetch = fetch(pod);
    let claim = Key::new("PersistentVolumeClaim", &key.namespace, claims_of(pod)[0]);
    let disk = text(&state.api.objects[&claim], "/metadata/uid").to_owned();
    let nothing = Outcome::Fetched {
        artifact: None,
        snapshot_bytes: 0,
    };
    if state.disks[&disk].data.is_some() {
        return vec![("fetch", 0, said(&nothing)), ("restore", 1, "no snapshot there".into())];
    }
    let stored = state.bucket[&fetch.key].clone();
    fill(state, key, pod, &disk, stored);
    let fetched = Outcome::Fetched {
        artifact: fetch.artifact,
        snapshot_bytes: 20_480,
    };
    vec![
        ("fetch", 0, said(&fetched)),
        ("restore", 0, String::new()),
        ("finish", 0, said(&Outcome::Finished)),
    ]
}

fn said(outcome: &Outcome) -> String {
    serde_json::to_string(outcome).expect("JSON")
}

fn fetch(pod: &Value) -> Fetch {
    let variables = items(pod, "/spec/initContainers/0/env");
    let told = variables.iter().find(|one| one["name"] == REQUEST).expect("a request");
    match serde_json::from_str(text(told, "/value")).expect("a request") {
        Request::Fetch(fetch) => *fetch,
        other => panic!("nothing is fetched: {other:?}"),
    }
}

/// A cluster of one with the backup's data, which nobody runs yet.
fn fill(state: &mut State, key: &Key, pod: &Value, disk: &str, stored: Stored) {
    let words = items(pod, "/spec/initContainers/1/args")
        .iter()
        .filter_map(Value::as_str);
    let flags: BTreeMap<&str, &str> = words.filter_map(|word| word.split_once('=')).collect();
    let (url, token) = (flags["--initial-advertise-peer-urls"], flags["--initial-cluster-token"]);
    let id = hash(&[url.to_owned(), token.to_owned()]);
    let entries = stored.log.len();
    let member = Member {
        peer_urls: vec![url.to_owned()],
        ..Member::default()
    };
    state.histories.push(History {
        cluster_id: hash(&[id.to_string()]),
        owner: token.to_owned(),
        members: [(id, member)].into(),
        acknowledged: entries,
        log: stored.log,
        root_password: stored.root_password,
        auth: stored.auth,
        ..History::default()
    });
    let history = state.histories.len() - 1;
    invariants::restored(state, history, key);
    let data = Data {
        history,
        member_id: id,
        entries,
        removed: false,
    };
    state.disks.get_mut(disk).expect("a volume").data = Some(data);
}
