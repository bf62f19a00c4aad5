//! What the API server fills in when an object is born, and what it does not let change.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use taffrail_crds::bytes_of;

use super::{Key, Kind, Refusal};

/// Defaults that are not in the type.
pub fn born(kind: &Kind, object: &mut Value) {
    match kind.kind {
        "Pod" => object["status"] = json!({"phase": "Pending", "qosClass": "Burstable"}),
        "PersistentVolumeClaim" => {
            object["status"] = json!({"phase": "Pending"});
            add(
                &mut object["metadata"],
                "finalizers",
                json!("kubernetes.io/pvc-protection"),
            );
        }
        "Service" if object["spec"]["clusterIP"].is_null() => object["spec"]["clusterIP"] = json!("10.96.0.10"),
        "Secret" => secret(object),
        "Namespace" => object["status"] = json!({"phase": "Active"}),
        _ => {}
    }
}

fn add(meta: &mut Value, list: &str, item: Value) {
    if !meta[list].is_array() {
        meta[list] = json!([]);
    }
    let all = meta[list].as_array_mut().expect("made one");
    if !all.contains(&item) {
        all.push(item);
    }
}

/// `stringData` is for writing alone.
pub fn secret(object: &mut Value) {
    if object["type"].is_null() {
        object["type"] = json!("Opaque");
    }
    let Some(Value::Object(texts)) = object.as_object_mut().and_then(|object| object.remove("stringData")) else {
        return;
    };
    for (key, text) in texts {
        let bytes = k8s_openapi::ByteString(text.as_str().unwrap_or_default().as_bytes().to_vec());
        object["data"][key] = serde_json::to_value(bytes).expect("base64");
    }
}

/// What may not change.
pub fn changed(kind: &Kind, live: &Value, next: &Value, objects: &BTreeMap<Key, Value>) -> Result<(), Refusal> {
    match kind.kind {
        "Pod" if pod(live) != pod(next) => Err(Refusal::invalid(
            "spec: pod updates may not change fields other than image",
        )),
        "PersistentVolumeClaim" => claim(live, next, objects),
        "Service" => fixed(live, next, &["/spec/clusterIP"]),
        "EtcdMember" => fixed(live, next, &["/spec/clusterName", "/spec/serial", "/spec/peerUrl"]),
        "Secret" if live["immutable"] == true && live["data"] != next["data"] => {
            Err(Refusal::invalid("data: is immutable when `immutable` is set"))
        }
        "Secret" => fixed(live, next, &["/type"]),
        "Job" => fixed(live, next, &["/spec/template", "/spec/selector"]),
        _ => finalizers(live, next),
    }
    .and_then(|()| finalizers(live, next))
}

fn finalizers(live: &Value, next: &Value) -> Result<(), Refusal> {
    let none = Vec::new();
    let of = |object: &'_ Value| object["metadata"]["finalizers"].as_array().unwrap_or(&none).clone();
    let added = of(next).iter().any(|one| !of(live).contains(one));
    if added && live["metadata"]["deletionTimestamp"].is_string() {
        return Err(Refusal::invalid(
            "metadata.finalizers: no new finalizers can be added if the object is being deleted",
        ));
    }
    Ok(())
}

fn fixed(live: &Value, next: &Value, fields: &[&str]) -> Result<(), Refusal> {
    let moved = fields.iter().find(|field| live.pointer(field) != next.pointer(field));
    moved.map_or(Ok(()), |field| {
        Err(Refusal::invalid(format!("{field}: field is immutable")))
    })
}

/// The spec without what may change.
fn pod(object: &Value) -> Value {
    let mut spec = object["spec"].clone();
    for list in ["containers", "initContainers"] {
        for container in spec[list].as_array_mut().into_iter().flatten() {
            container["image"] = Value::Null;
        }
    }
    if let Some(spec) = spec.as_object_mut() {
        ["initContainers", "tolerations"].iter().for_each(|field| {
            if spec.get(*field).is_some_and(Value::is_null) || *field == "tolerations" {
                spec.remove(*field);
            }
        });
    }
    spec
}

fn claim(live: &Value, next: &Value, objects: &BTreeMap<Key, Value>) -> Result<(), Refusal> {
    let size = |object: &Value| {
        object
            .pointer("/spec/resources/requests/storage")
            .and_then(Value::as_str)
            .and_then(bytes_of)
    };
    let mut rest = next["spec"].clone();
    rest["resources"] = live["spec"]["resources"].clone();
    if rest != live["spec"] {
        return Err(Refusal::invalid(
            "spec: is immutable after creation except resources.requests",
        ));
    }
    if size(live) == size(next) {
        return Ok(());
    }
    let class = live["spec"]["storageClassName"].as_str().unwrap_or_default();
    let class = objects.get(&Key::new("StorageClass", "", class));
    if !class.is_some_and(|class| class["allowVolumeExpansion"] == true) {
        let message = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize";
        return Err(Refusal::new(403, "Forbidden", message));
    }
    if live["status"]["phase"] != "Bound" || size(next) < size(live) {
        return Err(Refusal::invalid(
            "spec.resources.requests.storage: cannot be less than before, nor change while unbound",
        ));
    }
    Ok(())
}
