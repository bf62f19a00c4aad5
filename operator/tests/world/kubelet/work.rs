//! Jobs and the pods of backups: what they are asked for is done at once on a bucket in memory, unless a test says
//! otherwise.

use serde_json::{Value, json};
use taffrail_crds::{Artifact, Verification};
use taffrail_operator::backup::request::{Check, HOPELESS, Outcome, Prune, REQUEST, Request, Take};

use super::{items, restore, text};
use crate::world::api::{Key, kind_named};
use crate::world::{State, Stored};

/// The Job controller: pods one after another, until one succeeds or there were too many.
pub fn jobs(state: &mut State) {
    let jobs: Vec<(Key, Value)> = state
        .api
        .of_kind("Job")
        .map(|(key, job)| (key.clone(), job.clone()))
        .collect();
    for (key, job) in jobs {
        let over = !items(&job, "/status/conditions").is_empty();
        if over || !job["metadata"]["deletionTimestamp"].is_null() {
            continue;
        }
        let uid = text(&job, "/metadata/uid");
        let owned = |pod: &Value| {
            items(pod, "/metadata/ownerReferences")
                .iter()
                .any(|owner| text(owner, "/uid") == uid)
        };
        let pods: Vec<Value> = state
            .api
            .of_kind("Pod")
            .map(|(_, pod)| pod.clone())
            .filter(owned)
            .collect();
        let count = |phase: &str| pods.iter().filter(|pod| text(pod, "/status/phase") == phase).count();
        let (succeeded, failed) = (count("Succeeded"), count("Failed"));
        let active = pods.len() - succeeded - failed;
        let hopeless = pods.iter().any(|pod| exit_code(pod) == Some(i64::from(HOPELESS)));
        let retries = job["spec"]["backoffLimit"].as_u64().unwrap_or(6) as usize;
        let end = match () {
            () if succeeded > 0 => Some(("Complete", "CompletionsReached")),
            () if hopeless => Some(("Failed", "PodFailurePolicy")),
            () if failed > retries => Some(("Failed", "BackoffLimitExceeded")),
            () => None,
        };
        if end.is_none() && active == 0 {
            begin(state, &key, &job, pods.len());
        }
        state.api.edit(&key, |job| {
            job["status"] = json!({"active": active, "succeeded": succeeded, "failed": failed});
            if let Some((kind, reason)) = end {
                job["status"]["conditions"] =
                    json!([{"type": kind, "status": "True", "reason": reason, "message": "over"}]);
            }
        });
    }
}

fn begin(state: &mut State, key: &Key, job: &Value, number: usize) {
    let owner = json!([{"apiVersion": "batch/v1", "kind": "Job", "name": key.name, "controller": true,
                        "uid": job["metadata"]["uid"]}]);
    let labels = &job["spec"]["template"]["metadata"]["labels"];
    let meta = json!({"name": format!("{}-{number}", key.name), "ownerReferences": owner, "labels": labels});
    let pod = json!({"kind": "Pod", "metadata": meta, "spec": job["spec"]["template"]["spec"]});
    state.api.create(kind_named("Pod"), &key.namespace, pod).expect("a pod");
}

fn exit_code(pod: &Value) -> Option<i64> {
    pod.pointer("/status/containerStatuses/0/state/terminated/exitCode")?
        .as_i64()
}

/// What the main container of a pod is asked for.
pub fn request(pod: &Value) -> Option<Request> {
    let variables = items(pod, "/spec/containers/0/env");
    let told = variables.iter().find(|one| one["name"] == REQUEST)?;
    Some(serde_json::from_str(text(told, "/value")).expect("a request"))
}

/// It runs and ends.
pub fn run(state: &mut State, key: &Key, pod: &Value, request: &Request) {
    if let Some(missing) = missing_secret(state, key, pod) {
        state.violated(format!("{} mounts the Secret {missing}, which is not there", key.name));
        return;
    }
    if matches!(request, Request::Finish(_)) {
        return restore::run(state, key, pod);
    }
    let outcome = outcome(state, request);
    let code = match &outcome {
        Outcome::Failed { hopeless: true, .. } => HOPELESS,
        Outcome::Failed { .. } => 1,
        _ => 0,
    };
    state.note(format!("kubelet: {} ends with {code}", key.name));
    let name = text(pod, "/spec/containers/0/name").to_owned();
    state.api.edit(key, |pod| {
        let message = serde_json::to_string(&outcome).expect("JSON");
        let end = json!({"terminated": {"exitCode": code, "message": message}});
        pod["status"]["containerStatuses"] = json!([super::pods::status(&name, false, 0, end, Value::Null)]);
        pod["status"]["phase"] = json!(if code == 0 { "Succeeded" } else { "Failed" });
    });
}

/// The first Secret that a pod waits for in vain.
fn missing_secret(state: &State, key: &Key, pod: &Value) -> Option<String> {
    let named = items(pod, "/spec/volumes")
        .iter()
        .map(|volume| text(volume, "/secret/secretName"));
    let mut named = named.filter(|name| !name.is_empty());
    let there = |name: &str| {
        state
            .api
            .objects
            .contains_key(&Key::new("Secret", &key.namespace, name))
    };
    named.find(|name| !there(name)).map(String::from)
}

fn outcome(state: &mut State, request: &Request) -> Outcome {
    if let Some((reason, hopeless)) = state.controls.work_fails.clone() {
        return Outcome::Failed {
            reason,
            message: "as the test wants".into(),
            hopeless,
        };
    }
    match request {
        Request::Take(take) => taken(state, take),
        Request::Check(check) => checked(state, check),
        Request::Prune(prune) => pruned(state, prune),
        other => panic!("nobody asks this of a main container: {other:?}"),
    }
}

fn taken(state: &mut State, take: &Take) -> Outcome {
    let key = format!("{}.snap.zst", take.key);
    assert!(!take.members.is_empty(), "somebody has to be asked");
    let mut histories = state.histories.iter().rev();
    let history = histories
        .find(|one| one.owner == take.origin.cluster_uid)
        .expect("it was founded");
    let stored = Stored {
        backup_uid: take.origin.backup_uid.clone(),
        schedule: take.origin.schedule.clone(),
        cluster_uid: take.origin.cluster_uid.clone(),
        taken_at: state.now,
        log: history.log[..history.acknowledged].to_vec(),
        root_password: history.root_password.clone(),
        auth: history.auth,
    };
    let taken_at = state.bucket.entry(key.clone()).or_insert(stored).taken_at;
    let twice = state
        .bucket
        .values()
        .filter(|one| one.backup_uid == take.origin.backup_uid)
        .count();
    if twice > 1 {
        state.violated(format!("{} is stored twice", take.origin.backup));
    }
    let artifact = Artifact {
        uri: format!("volume://shelf/{key}"),
        key,
        revision: 7,
        member: take.members[0].name.clone(),
        taken_at: taken_at.to_string(),
        ..Artifact::default()
    };
    Outcome::Taken { artifact }
}

fn checked(state: &mut State, check: &Check) -> Outcome {
    assert!(state.bucket.contains_key(&check.artifact.key), "it is there");
    let verification = Verification {
        verified_at: Some(state.now.to_string()),
        revision: check.artifact.revision,
        ..Verification::default()
    };
    Outcome::Checked { verification }
}

/// Only `last` is understood here.
fn pruned(state: &mut State, prune: &Prune) -> Outcome {
    let mine = |one: &Stored| one.schedule.as_ref() == Some(&prune.schedule) && one.cluster_uid == prune.cluster_uid;
    let mut all: Vec<_> = state.bucket.iter().filter(|(_, one)| mine(one)).collect();
    all.sort_by_key(|(_, one)| std::cmp::Reverse(one.taken_at));
    let last = usize::try_from(prune.retention.last.expect("a rule")).expect("a number");
    let old = all.iter().skip(last).map(|(key, _)| (*key).clone());
    let keys: Vec<String> = old.filter(|key| !prune.keep.contains(key)).collect();
    let kept = all.len() - keys.len();
    keys.iter().for_each(|key| drop(state.bucket.remove(key)));
    Outcome::Pruned {
        count: keys.len(),
        keys,
        kept,
    }
}
