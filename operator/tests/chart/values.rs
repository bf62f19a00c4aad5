//! The chart of one cluster takes whatever the kinds take, and refuses what they would not know.
//! `TAFFRAIL_WRITE_CHART=1 cargo test -p taffrail-operator --test chart` writes the schema anew.

use crate::support::repository;
use serde_json::{Map, Value, json};
use taffrail_crds::{EtcdBackupSchedule, EtcdCluster};

use kube::CustomResourceExt;

const SCHEMA: &str = "charts/etcd-cluster/values.schema.json";

fn spec_of<K: CustomResourceExt>() -> Value {
    let mut definition = serde_json::to_value(K::crd()).unwrap();
    let mut spec = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].take();
    strict(&mut spec);
    spec
}

/// Without what only an API server or a person reads, and with no field that is not there.
fn strict(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            let of_a_schema = fields.get("type").is_some_and(Value::is_string);
            if of_a_schema {
                for word in ["description", "default", "format"] {
                    fields.remove(word);
                }
                close(fields);
            }
            fields.retain(|name, _| !name.starts_with("x-kubernetes-"));
            fields.values_mut().for_each(strict);
        }
        Value::Array(items) => items.iter_mut().for_each(strict),
        _ => {}
    }
}

fn close(fields: &mut Map<String, Value>) {
    if fields.contains_key("properties") && !fields.contains_key("additionalProperties") {
        fields.insert("additionalProperties".into(), false.into());
    }
    if fields.remove("nullable") == Some(Value::Bool(true)) {
        let kind = fields["type"].take();
        fields.insert("type".into(), json!([kind, "null"]));
    }
}

/// The chart says which cluster, and where a backup goes is needed only where some are made.
fn schedule() -> Value {
    let mut spec = spec_of::<EtcdBackupSchedule>();
    let template = &mut spec["properties"]["template"];
    template["properties"].as_object_mut().unwrap().remove("clusterRef");
    template.as_object_mut().unwrap().remove("required");
    spec
}

fn object(properties: Value) -> Value {
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}

fn schema() -> Value {
    let strings = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let (flag, rules) = (
        json!({"type": "boolean"}),
        json!({"type": "array", "items": {"type": "object"}}),
    );
    let mut schema = object(json!({
        "global": {"type": "object"},
        "fullnameOverride": {"type": "string", "maxLength": 40, "pattern": "^([a-z]([-a-z0-9]*[a-z0-9])?)?$"},
        "labels": strings,
        "annotations": strings,
        "keepOnUninstall": flag,
        "spec": spec_of::<EtcdCluster>(),
        "backup": object(json!({"enabled": flag, "spec": schedule()})),
        "networkPolicy": object(json!({
            "enabled": flag, "clientsFrom": rules, "metricsFrom": rules, "operatorFrom": rules, "extraIngress": rules,
        })),
    }));
    schema["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    schema["title"] = "Values of the chart etcd-cluster; generated from the kinds".into();
    schema
}

#[test]
fn the_schema_of_its_values_is_that_of_the_kinds() {
    let wanted = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    let path = repository(SCHEMA);
    if std::env::var_os("TAFFRAIL_WRITE_CHART").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "{SCHEMA} is behind: set TAFFRAIL_WRITE_CHART=1 to write it anew"
    );
}
