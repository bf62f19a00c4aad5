//! The cluster, as a test holds it.

use std::process::Stdio;

use kube::{Client, Config};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::Namespace;

/// What a command said when it failed.
#[derive(Debug, thiserror::Error)]
#[error("{command}: {said}")]
pub struct Error {
    pub command: String,
    pub said: String,
}

#[derive(Clone)]
pub struct Kubernetes {
    pub client: Client,
}

impl Kubernetes {
    /// The cluster in whose namespaces this process runs. Panics with advice if there is none.
    pub async fn from_env() -> Self {
        assert!(
            std::env::var_os("TAFFRAIL_KUBERNETES_INSIDE").is_some(),
            "this test runs inside a cluster: `kubernetes up`, then `kubernetes run cargo e2e`, or e2e/operator for all"
        );
        let config = Config::infer().await.expect("KUBECONFIG names the cluster");
        Self {
            client: Client::try_from(config).expect("the kubeconfig is complete"),
        }
    }

    /// A fresh one, under the strictest pod security, deleted when the guard goes.
    pub async fn namespace(&self) -> Namespace {
        Namespace::create(self).await
    }

    /// Applies manifests to namespaces they name themselves. Gives what kubectl said.
    pub async fn apply(&self, yaml: &str) -> Result<String, Error> {
        run("kubectl", &["apply", "-f", "-"], Some(yaml)).await
    }

    /// As if it were applied: every field has to be known. Nothing is changed.
    ///
    /// # Errors
    /// What the API server would refuse.
    pub async fn apply_strictly(&self, yaml: &str) -> Result<String, Error> {
        let words = [
            "apply",
            "--server-side",
            "--dry-run=server",
            "--validate=strict",
            "-f",
            "-",
        ];
        run("kubectl", &words, Some(yaml)).await
    }

    pub async fn kubectl(&self, words: &[&str]) -> Result<String, Error> {
        run("kubectl", words, None).await
    }

    /// Stops a component by a signal, or a whole node as if its power were cut: `node2`.
    pub async fn stop(&self, name: &str, signal: &str) -> Result<String, Error> {
        run(&program(), &["stop", name, signal], None).await
    }

    /// Runs a command on a node: `node2`.
    pub async fn on(&self, node: &str, words: &[&str], input: Option<&str>) -> Result<String, Error> {
        let all = [&["on", node], words].concat();
        run(&program(), &all, input).await
    }

    /// Starts what was stopped.
    pub async fn start(&self, name: &str) -> Result<String, Error> {
        run(&program(), &["start", name], None).await
    }
}

/// The `kubernetes` program that brought the cluster up.
fn program() -> String {
    std::env::var("TAFFRAIL_KUBERNETES_PROGRAM").expect("`kubernetes run` sets it")
}

/// Runs a command to its end. Gives its output, or what it complained about.
pub async fn run(program: &str, words: &[&str], input: Option<&str>) -> Result<String, Error> {
    let fail = |said: String| Error {
        command: format!("{program} {}", words.join(" ")),
        said,
    };
    let mut command = Command::new(program);
    command
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| fail(error.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        let written = stdin.write_all(input.unwrap_or_default().as_bytes()).await;
        written.map_err(|error| fail(error.to_string()))?;
    }
    let output = child
        .wait_with_output()
        .await
        .map_err(|error| fail(error.to_string()))?;
    if !output.status.success() {
        return Err(fail(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
