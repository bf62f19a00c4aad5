//! Every manifest on pages for users is one that our kinds have room for.

use serde_json::{Value, json};
use taffrail_crds::{EtcdBackup, EtcdBackupSchedule, EtcdCluster, EtcdDefragmentation, EtcdMember};
use taffrail_e2e_docs::{Manifest, manifests, pages};

fn all() -> Vec<Manifest> {
    pages()
        .iter()
        .filter(|page| page.is_for_users())
        .flat_map(manifests)
        .collect()
}

fn read(value: &Value) -> Result<(), String> {
    fn one<K: serde::de::DeserializeOwned>(value: &Value) -> Result<(), String> {
        serde_json::from_value::<K>(value.clone())
            .map(drop)
            .map_err(|error| error.to_string())
    }
    match value["kind"].as_str() {
        Some("EtcdCluster") => one::<EtcdCluster>(value),
        Some("EtcdMember") => one::<EtcdMember>(value),
        Some("EtcdBackup") => one::<EtcdBackup>(value),
        Some("EtcdBackupSchedule") => one::<EtcdBackupSchedule>(value),
        Some("EtcdDefragmentation") => one::<EtcdDefragmentation>(value),
        // A kind whose types are elsewhere is for the API server to judge.
        _ => Ok(()),
    }
}

#[test]
fn whole_manifests_are_read_as_they_are() {
    let whole: Vec<_> = all().into_iter().filter(Manifest::is_ours).collect();
    assert!(whole.len() > 5, "{}", whole.len());
    for manifest in whole {
        read(&manifest.value).unwrap_or_else(|error| panic!("{}: {error}", manifest.at));
    }
}

#[test]
fn parts_of_manifests_fit_somewhere() {
    for part in all().into_iter().filter(Manifest::is_part) {
        let tried = whole_of(&part.value);
        let refusals: Vec<_> = tried.iter().filter_map(|value| read(value).err()).collect();
        assert!(refusals.len() < tried.len(), "{}: {refusals:#?}", part.at);
    }
}

/// Objects that a part may be of.
fn whole_of(part: &Value) -> Vec<Value> {
    let object = |kind: &str, spec: Value| json!({"kind": kind, "apiVersion": "etcd.taffrail.dev/v1alpha1", "metadata": {}, "spec": spec});
    let spec = if part["spec"].is_object() { &part["spec"] } else { part };
    let with = |mut least: Value| {
        let (into, from) = (least.as_object_mut(), spec.as_object());
        into.into_iter()
            .for_each(|into| into.extend(from.cloned().unwrap_or_default()));
        least
    };
    let backup = json!({"clusterRef": {"name": "a"}, "target": {}});
    vec![
        object("EtcdCluster", spec.clone()),
        object("EtcdBackup", with(backup.clone())),
        object(
            "EtcdBackupSchedule",
            with(json!({"schedule": "@daily", "template": backup})),
        ),
        object("EtcdDefragmentation", with(json!({"clusterRef": {"name": "a"}}))),
        object("EtcdBackup", json!({"clusterRef": {"name": "a"}, "target": spec})),
    ]
}
