use kube::api::ObjectMeta;
use kube::runtime::reflector;
use serde_json::json;

use super::*;
use crate::testing::cluster;

fn object(meta: serde_json::Value) -> PartialObjectMeta<Secret> {
    let mut metadata: ObjectMeta = serde_json::from_value(meta).unwrap();
    metadata.namespace = Some("ns".into());
    PartialObjectMeta {
        metadata,
        ..PartialObjectMeta::default()
    }
}

fn found(references: impl IntoIterator<Item = ObjectRef<Guarded>>) -> Vec<String> {
    references.into_iter().map(|one| one.name).collect()
}

#[test]
fn what_changes_leads_to_its_cluster() {
    let owner = json!([{"apiVersion": "etcd.taffrail.dev/v1alpha1", "kind": "EtcdCluster", "name": "a", "uid": "u"}]);
    let table = [
        (json!({"name": "x", "ownerReferences": owner}), vec!["a"]),
        (json!({"name": "x", "labels": {CLUSTER: "b"}}), vec!["b"]),
        (json!({"name": "x"}), vec![]),
    ];
    for (meta, expected) in table {
        assert_eq!(found(belongs_to(&object(meta))), expected);
    }
}

#[test]
fn a_secret_that_somebody_else_keeps_leads_to_the_clusters_that_name_it() {
    let (store, mut writer) = reflector::store::<Guarded>();
    let mut naming = cluster();
    naming.spec.tls.client.secrets = serde_json::from_value(json!({"server": "s", "client": "c"})).unwrap();
    naming.spec.auth = serde_json::from_value(json!({"enabled": true, "rootSecretRef": {"name": "r"}})).unwrap();
    writer.apply_watcher_event(&watcher::Event::Apply(DeserializeGuard(Ok(naming))));
    for (name, expected) in [("s", vec!["a"]), ("c", vec!["a"]), ("r", vec!["a"]), ("other", vec![])] {
        assert_eq!(
            found(wanting(&store, &object(json!({"name": name})))),
            expected,
            "{name}"
        );
    }
}

#[test]
fn one_that_cannot_be_read_does_not_hide_the_others() {
    let raw = json!({"apiVersion": "etcd.taffrail.dev/v1alpha1", "kind": "EtcdCluster",
        "metadata": {"name": "z", "namespace": "ns"}, "spec": {"replicas": "many"}});
    let guarded: Guarded = serde_json::from_value(raw).unwrap();
    assert!(guarded.0.is_err());
    assert_eq!(key_of(&guarded), ("ns".to_owned(), "z".to_owned()));
}
