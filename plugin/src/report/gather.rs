//! Everything that goes into a report, in its order.

use std::collections::VecDeque;

use futures::{AsyncBufReadExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, LogParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use taffrail_crds::{APP, EtcdCluster, MANAGER};

use super::archive::Archive;
use super::objects::{self, WANTED};
use crate::args::Report;
use crate::failure::Failure;
use crate::session::Session;

/// Lines of a log that are asked for; its bytes are bounded besides.
const LINES_MAX: i64 = 100_000;

/// What the chart calls the operator's pods, unless it is told another name.
const CHART: &str = "etcd-operator";

struct Gather<'a> {
    session: &'a Session,
    flags: &'a Report,
    archive: &'a mut Archive,
    problems: Vec<String>,
}

/// Returns what could not be had; it stands in the archive too.
///
/// # Errors
/// If the archive cannot be written.
pub async fn all(
    session: &Session,
    flags: &Report,
    cluster: &EtcdCluster,
    archive: &mut Archive,
) -> Result<Vec<String>, Failure> {
    let problems = Vec::new();
    let mut gather = Gather {
        session,
        flags,
        archive,
        problems,
    };
    gather.about().await?;
    gather.archive.json("objects/etcdcluster.json", json!(cluster))?;
    let names = gather.objects().await?;
    gather.events(&names).await?;
    let pods = Api::namespaced(session.client.clone(), &session.namespace);
    gather.logs(&pods, &names).await?;
    gather.operator().await?;
    let problems = gather.problems;
    archive.text("problems.txt", &problems.join("\n"))?;
    Ok(problems)
}

impl Gather<'_> {
    async fn about(&mut self) -> Result<(), Failure> {
        let server = self.session.client.apiserver_version().await;
        let server = self.had(server, "ask for the version of the API server");
        let about = json!({
            "cluster": self.flags.cluster,
            "namespace": self.session.namespace,
            "takenAt": (self.session.now)().to_string(),
            "kubectl-taffrail": env!("CARGO_PKG_VERSION"),
            "kubernetes": server.map(|info| info.git_version),
        });
        self.archive.json("about.json", about)
    }

    fn had<T>(&mut self, outcome: kube::Result<T>, doing: &str) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(error) => {
                self.problems.push(Failure::of(error, doing).to_string());
                None
            }
        }
    }

    /// Returns the names of what was found.
    async fn objects(&mut self) -> Result<Vec<String>, Failure> {
        let mut names = Vec::new();
        for wanted in &WANTED {
            let plural = wanted.plural;
            let path = wanted.path(&self.session.namespace);
            let Some(mut items) = self.items(&path, plural).await else {
                continue;
            };
            items.retain(|item| wanted.is_of(&self.flags.cluster, item));
            names.extend(items.iter().map(|item| objects::name(item).to_owned()));
            self.archive
                .json(&format!("objects/{plural}.json"), Value::Array(items))?;
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    async fn items(&mut self, path: &str, what: &str) -> Option<Vec<Value>> {
        let request = http::Request::get(path).body(Vec::new()).ok()?;
        let answer = self.session.client.request::<Value>(request).await;
        // A kind that this Kubernetes does not have is not missed.
        if matches!(&answer, Err(kube::Error::Api(status)) if status.code == 404) {
            return None;
        }
        let mut list = self.had(answer, &format!("list {what}"))?;
        match list.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => Some(items),
            _ => Some(Vec::new()),
        }
    }

    async fn events(&mut self, names: &[String]) -> Result<(), Failure> {
        let path = format!("/api/v1/namespaces/{}/events", self.session.namespace);
        let Some(mut items) = self.items(&path, "events").await else {
            return Ok(());
        };
        items.retain(|event| objects::is_event_of(&self.flags.cluster, names, event));
        self.archive.json("objects/events.json", Value::Array(items))
    }

    /// Of every container of these pods, and of the one before its last restart.
    async fn logs(&mut self, pods: &Api<Pod>, names: &[String]) -> Result<(), Failure> {
        for name in names {
            let Ok(Some(pod)) = pods.get_opt(name).await else {
                continue;
            };
            for (container, restarted) in containers(&pod) {
                self.log(pods, &pod, &container, false).await?;
                if restarted {
                    self.log(pods, &pod, &container, true).await?;
                }
            }
        }
        Ok(())
    }

    async fn log(&mut self, pods: &Api<Pod>, pod: &Pod, container: &str, previous: bool) -> Result<(), Failure> {
        let (name, namespace) = (pod.name_any(), pod.namespace().unwrap_or_default());
        let params = LogParams {
            container: Some(container.to_owned()),
            previous,
            tail_lines: Some(LINES_MAX),
            timestamps: true,
            ..LogParams::default()
        };
        let newest = newest(pods, &name, &params, self.flags.log_bytes_max).await;
        let Some(text) = self.had(newest, &format!("read the log of {name}/{container}")) else {
            return Ok(());
        };
        let before = if previous { ".previous" } else { "" };
        self.archive
            .text(&format!("logs/{namespace}/{name}/{container}{before}.log"), &text)
    }

    async fn operator(&mut self) -> Result<(), Failure> {
        let client = self.session.client.clone();
        let pods: Api<Pod> = match &self.flags.operator_namespace {
            Some(namespace) => Api::namespaced(client.clone(), namespace),
            None => Api::all(client.clone()),
        };
        let of_operator = ListParams::default().labels(&format!("{APP} in ({MANAGER},{CHART})"));
        let found = pods.list(&of_operator).await;
        let Some(found) = self.had(found, "list the operator's pods (--operator-namespace says where)") else {
            return Ok(());
        };
        if found.items.is_empty() {
            self.problems.push("no pod of the operator was found".into());
        }
        self.archive.json("operator/pods.json", json!(found.items))?;
        for pod in &found.items {
            let namespace = pod.namespace().unwrap_or_default();
            let pods = Api::namespaced(client.clone(), &namespace);
            self.logs(&pods, &[pod.name_any()]).await?;
        }
        Ok(())
    }
}

/// Names, and whether they were restarted. One that has not started yet has no log.
fn containers(pod: &Pod) -> Vec<(String, bool)> {
    let status = pod.status.as_ref();
    let all = status.map(|status| {
        [
            status.init_container_statuses.clone(),
            status.container_statuses.clone(),
        ]
    });
    let all = all.into_iter().flatten().flatten().flatten();
    let started =
        all.filter(|one| one.state.as_ref().is_some_and(|state| state.waiting.is_none()) || one.restart_count > 0);
    started.map(|one| (one.name, one.restart_count > 0)).collect()
}

/// The last lines of a log that have together at most so many bytes.
async fn newest(pods: &Api<Pod>, pod: &str, params: &LogParams, bytes_max: u64) -> kube::Result<String> {
    let mut lines = pods.log_stream(pod, params).await?.lines();
    let (mut kept, mut bytes) = (VecDeque::new(), 0);
    // A log that breaks off is better than none.
    while let Ok(Some(line)) = lines.try_next().await {
        bytes += line.len() as u64 + 1;
        kept.push_back(line);
        while bytes > bytes_max {
            let Some(first) = kept.pop_front() else { break };
            bytes -= first.len() as u64 + 1;
        }
    }
    Ok(Vec::from(kept).join("\n"))
}
