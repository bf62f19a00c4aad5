//! An EtcdCluster, as its user holds it.

use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use taffrail_crds::{CLUSTER, EtcdCluster, EtcdClusterStatus, EtcdMember};

use crate::handle::{Error, run};
use crate::{Namespace, wait};

/// Whatever an operator does has an end.
pub const PATIENCE: Duration = Duration::from_secs(420);
const TAFFRAIL: &str = concat!("taffrail/server:", env!("CARGO_PKG_VERSION"));

/// Whose members run in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Image {
    Taffrail,
    Stock,
}

impl Image {
    pub fn name(self) -> &'static str {
        match self {
            Self::Taffrail => TAFFRAIL,
            Self::Stock => "etcd:3.6.14",
        }
    }
}

pub struct Cluster {
    pub namespace: Namespace,
    pub name: String,
    pub image: Image,
}

impl Cluster {
    /// Three members with TLS everywhere, where `spec` says nothing else.
    pub async fn declare(namespace: Namespace, image: Image, spec: Value) -> Self {
        let mut whole = json!({
            "image": image.name(),
            "storage": {"size": "1Gi"},
            "podTemplate": {"terminationGracePeriodSeconds": 10},
        });
        merge(&mut whole, spec);
        let object = json!({
            "apiVersion": "etcd.taffrail.dev/v1alpha1", "kind": "EtcdCluster",
            "metadata": {"name": "safe"}, "spec": whole,
        });
        let object = serde_json::from_value(object).expect("an EtcdCluster");
        let api: Api<EtcdCluster> = namespace.api();
        api.create(&PostParams::default(), &object).await.expect("it is valid");
        let name = "safe".to_owned();
        Self { namespace, name, image }
    }

    pub async fn get(&self) -> EtcdCluster {
        let api: Api<EtcdCluster> = self.namespace.api();
        wait::until("the API server answers", PATIENCE, async || {
            api.get(&self.name).await.ok()
        })
        .await
    }

    pub async fn status(&self) -> EtcdClusterStatus {
        self.get().await.status.unwrap_or_default()
    }

    /// A merge patch.
    pub async fn change(&self, spec: Value) {
        self.patch(json!({"spec": spec})).await;
    }

    pub async fn patch(&self, patch: Value) {
        let api: Api<EtcdCluster> = self.namespace.api();
        let patched = api
            .patch(&self.name, &PatchParams::default(), &Patch::Merge(patch))
            .await;
        patched.expect("the change is valid");
    }

    /// Every member that is declared runs what is declared, is healthy, and nothing is under way.
    pub async fn settles(&self) -> EtcdClusterStatus {
        self.reaches("it is as declared", |cluster, status| {
            let declared = cluster.spec.replicas;
            let counts = [status.replicas, status.ready_replicas, status.updated_replicas];
            // Members that sleep are still there.
            let all_there = declared == 0 || counts.iter().all(|count| *count == declared);
            all_there
                && status.observed_generation == cluster.metadata.generation
                && status.phase.as_deref() == Some(if declared == 0 { "Hibernated" } else { "Running" })
                && is(status, "Progressing", "False")
        })
        .await
    }

    pub async fn reaches(
        &self,
        what: &str,
        is_so: impl Fn(&EtcdCluster, &EtcdClusterStatus) -> bool,
    ) -> EtcdClusterStatus {
        let mut last = None;
        let start = std::time::Instant::now();
        loop {
            let cluster = self.get().await;
            let status = cluster.status.clone().unwrap_or_default();
            if is_so(&cluster, &status) {
                return status;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "{}: waited in vain until {what}: {}",
                self.namespace.name(),
                serde_json::to_string_pretty(&last).unwrap_or_default()
            );
            last = Some(status);
            wait::pause().await;
        }
    }

    /// Returns the condition once it has this status.
    pub async fn condition(&self, kind: &str, status: &str) -> Condition {
        let what = format!("{kind} is {status}");
        let reached = self.reaches(&what, |_, found| is(found, kind, status)).await;
        reached
            .conditions
            .into_iter()
            .find(|one| one.type_ == kind)
            .expect("it was there")
    }

    pub async fn members(&self) -> Vec<EtcdMember> {
        let api: Api<EtcdMember> = self.namespace.api();
        let mut items = api
            .list(&ListParams::default())
            .await
            .map(|list| list.items)
            .unwrap_or_default();
        items.sort_by_key(|one| one.spec.serial);
        items
    }

    pub async fn names(&self) -> Vec<String> {
        self.members().await.iter().map(ResourceExt::name_any).collect()
    }

    pub async fn leader(&self) -> String {
        self.reaches("somebody leads", |_, status| status.leader.is_some())
            .await
            .leader
            .expect("it was there")
    }

    /// One that does not lead.
    pub async fn follower(&self) -> String {
        let leader = self.leader().await;
        let names = self.names().await;
        names
            .into_iter()
            .find(|name| *name != leader)
            .expect("there is more than a leader")
    }

    /// etcd's ID of a member, hexadecimal.
    pub async fn id_of(&self, member: &str) -> String {
        let status = self.status().await;
        let found = status.members.into_iter().find(|one| one.name == member);
        found.and_then(|one| one.id).expect("it has an ID")
    }

    /// Its pod, if there is one.
    pub async fn pod(&self, member: &str) -> Option<Pod> {
        self.namespace.api::<Pod>().get_opt(member).await.ok()?
    }

    /// Members whose pods were put there.
    pub async fn members_on(&self, node: &str) -> Vec<String> {
        let mut found = Vec::new();
        for name in self.names().await {
            let place = self.pod(&name).await.and_then(|pod| pod.spec?.node_name);
            if place.as_deref() == Some(node) {
                found.push(name);
            }
        }
        found
    }

    /// Deletes a member's pod, and returns once all is as declared with another one.
    pub async fn loses_pod_of(&self, member: &str, how: &[&str]) {
        let before = self.pod(member).await.and_then(|pod| pod.uid());
        let words = [&["delete", "pod", member], how].concat();
        self.namespace.kubectl(&words).await.expect("it is there");
        wait::until("it has another pod", PATIENCE, async || {
            (self.pod(member).await?.uid() != before).then_some(())
        })
        .await;
        self.settles().await;
    }

    /// By name, for the pods of members alone.
    pub async fn pod_uids(&self) -> Vec<(String, String)> {
        let params = ListParams::default().labels(&format!("{CLUSTER}={}", self.name));
        let pods = self.namespace.api::<Pod>().list(&params).await.map(|list| list.items);
        let mut all: Vec<_> = pods
            .unwrap_or_default()
            .iter()
            .map(|pod| (pod.name_any(), pod.uid().unwrap_or_default()))
            .collect();
        all.sort();
        all
    }

    /// A signal for the process of a member: what the kernel would do for want of memory, or a person.
    ///
    /// # Errors
    /// If there is no such process.
    pub async fn signal(&self, member: &str, signal: &str) -> Result<(), Error> {
        let marks = [format!("--name={member}"), format!(".{}.svc.", self.namespace.name())];
        let pid = process(&marks).unwrap_or_default();
        run("kill", &["-s", signal, &pid], None).await.map(drop)
    }

    /// The folder of a member's volume on this machine.
    pub async fn folder(&self, member: &str) -> std::path::PathBuf {
        let claims: Api<PersistentVolumeClaim> = self.namespace.api();
        let claim = claims.get(&format!("data-{member}")).await.expect("the claim is there");
        let volumes: Api<PersistentVolume> = Api::all(self.namespace.kubernetes.client.clone());
        let name = claim
            .spec
            .and_then(|spec| spec.volume_name)
            .expect("the claim is bound");
        let volume = volumes.get(&name).await.expect("the volume is there");
        volume
            .spec
            .and_then(|spec| spec.local)
            .expect("a local volume")
            .path
            .into()
    }

    /// etcdctl in a pod of its own, with what the client Secret gives. The pod is made the first time.
    ///
    /// # Errors
    /// What etcdctl complained about.
    pub async fn etcdctl(&self, words: &[&str]) -> Result<String, Error> {
        self.etcdctl_as("safe-client", words).await
    }

    /// # Errors
    /// What etcdctl complained about.
    pub async fn etcdctl_as(&self, secret: &str, words: &[&str]) -> Result<String, Error> {
        let pod = format!("as-{secret}");
        self.client(&pod, secret).await;
        let endpoint = format!("--endpoints=https://{}-client:2379", self.name);
        let files = ["--cacert=/tls/ca.crt", "--cert=/tls/tls.crt", "--key=/tls/tls.key"];
        let mut all = vec!["etcdctl", &endpoint, "--command-timeout=20s"];
        all.extend(files);
        all.extend(words);
        self.namespace.exec(&pod, &all).await
    }

    async fn client(&self, pod: &str, secret: &str) {
        let pods: Api<Pod> = self.namespace.api();
        if pods.get_opt(pod).await.ok().flatten().is_none() {
            self.namespace
                .apply(&client_pod(pod, secret))
                .await
                .expect("the pod is valid");
        }
        wait::until(&format!("{pod} runs"), PATIENCE, async || {
            let pod = pods.get_opt(pod).await.ok()??;
            (pod.status?.phase.as_deref() == Some("Running")).then_some(())
        })
        .await;
    }

    /// One field of a Secret.
    pub async fn field(&self, secret: &str, field: &str) -> Option<Vec<u8>> {
        let data = self.secret(secret).await?.data?;
        data.get(field).map(|text| text.0.clone())
    }

    /// PEM: whom the owner of a Secret trusts.
    pub async fn authorities(&self, secret: &str) -> Option<Vec<u8>> {
        self.field(secret, "ca.crt").await
    }

    /// One certificate, and not the one before: the rotation has begun and ended.
    pub async fn rotated(&self, secret: &str, before: &[u8]) {
        wait::until(&format!("{secret} has another authority"), PATIENCE, async || {
            let now = self.authorities(secret).await?;
            let count = String::from_utf8_lossy(&now).matches("BEGIN CERTIFICATE").count();
            (count == 1 && now != before).then_some(())
        })
        .await;
        self.reaches("no rotation is under way", |_, status| {
            status.certificates.iter().all(|one| one.rotation.is_none())
        })
        .await;
        self.settles().await;
    }

    pub async fn secret(&self, name: &str) -> Option<Secret> {
        self.namespace.api::<Secret>().get_opt(name).await.ok()?
    }
}

pub fn is(found: &EtcdClusterStatus, kind: &str, status: &str) -> bool {
    found
        .conditions
        .iter()
        .any(|one| one.type_ == kind && one.status == status)
}

fn client_pod(name: &str, secret: &str) -> String {
    let image = concat!("taffrail/client:", env!("CARGO_PKG_VERSION"));
    format!(
        r#"
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  terminationGracePeriodSeconds: 0
  automountServiceAccountToken: false
  securityContext: {{runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000, seccompProfile: {{type: RuntimeDefault}}}}
  containers:
    - name: client
      image: {image}
      command: [sleep, "3600"]
      securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
      volumeMounts: [{{name: tls, mountPath: /tls}}]
  volumes: [{{name: tls, secret: {{secretName: {secret}}}}}]
"#
    )
}

/// The one whose command line bears all marks.
fn process(marks: &[String]) -> Option<String> {
    let entries = std::fs::read_dir("/proc").ok()?.flatten();
    let mut numbers = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    numbers.find(|pid| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
        let named = words.iter().any(|word| *word == marks[0]);
        named && words.iter().any(|word| word.contains(&marks[1]))
    })
}

/// RFC 7396, but for nulls.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}
