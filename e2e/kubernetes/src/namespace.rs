//! A namespace of a test's own.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Namespace as Object;
use kube::api::PostParams;
use kube::{Api, Resource};
use serde_json::json;

use crate::handle::{Error, Kubernetes, run};
use crate::logs;

const LABEL_MAX: usize = 63;

pub struct Namespace {
    pub kubernetes: Kubernetes,
    name: String,
}

impl Namespace {
    pub(crate) async fn create(kubernetes: &Kubernetes) -> Self {
        let name = unused_name();
        let object: Object = serde_json::from_value(json!({"metadata": {"name": name, "labels": {
            "pod-security.kubernetes.io/enforce": "restricted",
            "pod-security.kubernetes.io/warn": "restricted",
            "taffrail.dev/test": label(std::thread::current().name().unwrap_or("unnamed")),
        }}}))
        .expect("a namespace");
        let api: Api<Object> = Api::all(kubernetes.client.clone());
        api.create(&PostParams::default(), &object)
            .await
            .expect("the namespace is new");
        Self {
            kubernetes: kubernetes.clone(),
            name,
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.kubernetes.client.clone(), &self.name)
    }

    /// Applies manifests that name no namespace.
    pub async fn apply(&self, yaml: &str) -> Result<String, Error> {
        run("kubectl", &["-n", &self.name, "apply", "-f", "-"], Some(yaml)).await
    }

    pub async fn kubectl(&self, words: &[&str]) -> Result<String, Error> {
        let mut all = vec!["-n", &self.name];
        all.extend(words);
        run("kubectl", &all, None).await
    }

    /// Runs a command in a pod.
    pub async fn exec(&self, pod: &str, words: &[&str]) -> Result<String, Error> {
        let mut all = vec!["exec", pod, "--"];
        all.extend(words);
        self.kubectl(&all).await
    }
}

/// As much of a test's name as a label holds.
fn label(test: &str) -> String {
    let name: String = test.replace("::", ".").chars().take(LABEL_MAX).collect();
    name.trim_end_matches(['.', '_', '-']).to_owned()
}

/// Tests run side by side, and several runs may come after one another on one cluster.
fn unused_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let moment = since.map_or(0, |since| since.as_millis()) % 100_000_000;
    format!("test-{moment}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A test that failed says what its pods said first. With TAFFRAIL_KEEP set its namespace stays, to look around.
impl Drop for Namespace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            logs::tell(&self.name);
            if std::env::var_os("TAFFRAIL_KEEP").is_some() {
                return eprintln!("namespace {} is kept", self.name);
            }
        }
        let mut kubectl = Command::new("kubectl");
        kubectl
            .args(["delete", "namespace", &self.name, "--wait=false"])
            .stdout(Stdio::null());
        if let Err(error) = kubectl.status() {
            eprintln!("namespace {} stays: {error}", self.name);
        }
    }
}
