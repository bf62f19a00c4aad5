//! Manifests that are tried without being kept.

use std::time::Duration;

use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use taffrail_e2e_kubernetes::{Kubernetes, Namespace, wait};

/// A spec, and what is said of it. One that is good has neither field nor message.
pub struct Row {
    pub kind: &'static str,
    pub spec: &'static str,
    pub field: &'static str,
    pub message: &'static str,
}

/// A spec that is there, and another that is to replace it.
pub struct Update {
    pub kind: &'static str,
    pub before: &'static str,
    pub after: &'static str,
    pub field: &'static str,
    pub message: &'static str,
}

#[derive(Debug, Clone)]
pub struct Refusal {
    pub field: String,
    pub message: String,
}

pub struct Definitions {
    namespace: Namespace,
}

const PATIENCE: Duration = Duration::from_secs(30);
const FILES: [&str; 7] = [
    include_str!("../../../../crds/etcdclusters.yaml"),
    include_str!("../../../../crds/etcdmembers.yaml"),
    include_str!("../../../../crds/etcdbackups.yaml"),
    include_str!("../../../../crds/etcdbackupschedules.yaml"),
    include_str!("../../../../crds/etcddefragmentations.yaml"),
    include_str!("../../../../crds/etcdusers.yaml"),
    include_str!("../../../../crds/etcdroles.yaml"),
];
const KINDS: [&str; 7] = [
    "EtcdCluster",
    "EtcdMember",
    "EtcdBackup",
    "EtcdBackupSchedule",
    "EtcdDefragmentation",
    "EtcdUser",
    "EtcdRole",
];

impl Definitions {
    pub async fn install() -> Self {
        let kubernetes = Kubernetes::from_env().await;
        for file in FILES {
            // Not merged with what an older version said: the whole of it is ours.
            let words = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
            taffrail_e2e_kubernetes::run("kubectl", &words, Some(file))
                .await
                .expect("the CRD is valid");
        }
        let definitions = Self {
            namespace: kubernetes.namespace().await,
        };
        for kind in KINDS {
            wait::until("every kind can be listed", PATIENCE, async || {
                definitions.api(kind).list(&Default::default()).await.ok()
            })
            .await;
        }
        definitions
    }

    fn api(&self, kind: &str) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("etcd.taffrail.dev", "v1alpha1", kind));
        Api::namespaced_with(
            self.namespace.kubernetes.client.clone(),
            self.namespace.name(),
            &resource,
        )
    }

    /// Everything that is said against an object; nothing if it is taken.
    pub async fn refusals(&self, kind: &str, name: &str, spec: &str) -> Vec<Refusal> {
        let params = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        told(self.api(kind).create(&params, &object(kind, name, spec)).await)
    }

    /// Of an object as somebody wrote it.
    pub async fn refusals_of(&self, value: &Value) -> Vec<Refusal> {
        let params = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let object: DynamicObject = serde_json::from_value(value.clone()).expect("an object");
        let kind = value["kind"].as_str().unwrap_or_default();
        told(self.api(kind).create(&params, &object).await)
    }

    pub async fn refused(&self, row: &Row) -> Vec<Refusal> {
        let said = self.refusals(row.kind, "tried", row.spec).await;
        let expected = said
            .iter()
            .any(|it| it.field == row.field && it.message.contains(row.message));
        assert!(
            expected,
            "{} {}\n  expected {}: {}\n  got {said:#?}",
            row.kind, row.spec, row.field, row.message
        );
        said
    }

    pub async fn taken(&self, row: &Row) {
        let said = self.refusals(row.kind, "tried", row.spec).await;
        assert!(said.is_empty(), "{} {}: {said:#?}", row.kind, row.spec);
    }

    pub async fn refused_update(&self, update: &Update) -> Refusal {
        let said = self.update(update).await;
        let expected = said
            .iter()
            .find(|it| it.field == update.field && it.message.contains(update.message));
        let what = || format!("{} -> {}: {said:#?}", update.before, update.after);
        expected.unwrap_or_else(|| panic!("{}", what())).clone()
    }

    pub async fn taken_update(&self, update: &Update) {
        let said = self.update(update).await;
        assert!(said.is_empty(), "{} -> {}: {said:#?}", update.before, update.after);
    }

    /// The object before is real for a moment.
    async fn update(&self, update: &Update) -> Vec<Refusal> {
        let api = self.api(update.kind);
        let name = format!("changed-{}", update.kind.to_lowercase());
        let made = api
            .create(&PostParams::default(), &object(update.kind, &name, update.before))
            .await;
        let made = made.unwrap_or_else(|error| panic!("{}: {error}", update.before));
        let change = Patch::Merge(json!({"spec": spec(update.after)}));
        let said = told(
            api.patch(
                &made.name_any(),
                &PatchParams {
                    dry_run: true,
                    ..PatchParams::default()
                },
                &change,
            )
            .await,
        );
        api.delete(&made.name_any(), &Default::default())
            .await
            .expect("it can go");
        said
    }
}

fn spec(yaml: &str) -> Value {
    let value = serde_yaml_ng::from_str(yaml).unwrap_or_else(|error| panic!("no YAML: {yaml}: {error}"));
    written_out(value)
}

/// Long texts, lists and maps are written as their size: `@9` is nine letters, `@@9` nine items.
fn written_out(value: Value) -> Value {
    let size = |text: &str, mark: &str| text.strip_prefix(mark).and_then(|digits| digits.parse().ok());
    match value {
        Value::String(text) => size(&text, "@").map_or(Value::String(text), |letters| "a".repeat(letters).into()),
        Value::Array(items) => match items.first().and_then(Value::as_str).and_then(|text| size(text, "@@")) {
            Some(count) => (0..count).map(|number: usize| json!(format!("item{number}"))).collect(),
            None => items.into_iter().map(written_out).collect(),
        },
        Value::Object(fields) => match fields.keys().next().and_then(|key| size(key, "@@")) {
            Some(count) => (0..count)
                .map(|number: usize| (format!("key{number}"), json!("x")))
                .collect(),
            None => fields
                .into_iter()
                .map(|(key, field)| (key, written_out(field)))
                .collect(),
        },
        other => other,
    }
}

fn object(kind: &str, name: &str, yaml: &str) -> DynamicObject {
    let spec = filled_in(kind, spec(yaml));
    serde_json::from_value(json!({
        "apiVersion": "etcd.taffrail.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec,
    }))
    .expect("an object")
}

/// What a kind must have and a row does not name; what it names as null is left out.
fn filled_in(kind: &str, spec: Value) -> Value {
    let backup = json!({"clusterRef": {"name": "a"}, "target": {"volume": {"claimName": "shelf"}}});
    let mut whole = match kind {
        "EtcdBackup" => backup,
        "EtcdDefragmentation" | "EtcdRole" => json!({"clusterRef": {"name": "a"}}),
        "EtcdUser" => json!({"clusterRef": {"name": "a"}, "noPassword": true}),
        "EtcdBackupSchedule" => json!({"schedule": "@daily", "template": backup}),
        _ => return spec,
    };
    let fields = whole.as_object_mut().expect("an object");
    fields.extend(spec.as_object().cloned().unwrap_or_default());
    fields.retain(|_, value| !value.is_null());
    whole
}

fn told(outcome: kube::Result<DynamicObject>) -> Vec<Refusal> {
    match outcome {
        Ok(_) => Vec::new(),
        Err(kube::Error::Api(status)) => {
            let causes = status.details.clone().map(|details| details.causes).unwrap_or_default();
            assert!(!causes.is_empty(), "refused without a cause: {}", status.message);
            causes
                .into_iter()
                .map(|cause| Refusal {
                    field: cause.field,
                    message: cause.message,
                })
                .collect()
        }
        Err(error) => panic!("the API server does not answer: {error}"),
    }
}
