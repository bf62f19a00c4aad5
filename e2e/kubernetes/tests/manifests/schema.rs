//! What the CRDs that people write demand of a spec, read from their YAML.

use serde_json::Value;

use crate::dry_run::Refusal;

/// A bound or a rule of one field, and what is said when it is broken.
#[derive(Debug)]
pub struct Demand {
    /// As in [`Refusal`], with `*` for any index.
    field: String,
    message: String,
}

impl Demand {
    pub fn is_met_by(&self, refusal: &Refusal) -> bool {
        // What is of one type refuses the same wherever it stands.
        refusal.message.contains(&self.message) && same_type(&starred(&refusal.field)) == same_type(&self.field)
    }
}

/// Where a type stands in several places, one of them for all.
fn same_type(field: &str) -> String {
    let places = [
        ("tls.peer", "tls.client"),
        ("spec.template.", "spec."),
        ("spec.bootstrap.restore.source.object.target", "spec.target"),
        ("spec.bootstrap.restore.source.object.encryption", "spec.encryption"),
        ("spec.bootstrap.restore.pod", "spec.pod"),
    ];
    places
        .iter()
        .fold(field.to_owned(), |field, (place, same)| field.replace(place, same))
}

/// `a[3].b` with `*` for the index.
fn starred(field: &str) -> String {
    let mut parts = field.split('[');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| {
        out + "[*]" + part.split_once(']').map_or("", |(_, rest)| rest)
    })
}

const DEFINITIONS: [&str; 6] = [
    include_str!("../../../../crds/etcdclusters.yaml"),
    include_str!("../../../../crds/etcdbackups.yaml"),
    include_str!("../../../../crds/etcdbackupschedules.yaml"),
    include_str!("../../../../crds/etcddefragmentations.yaml"),
    include_str!("../../../../crds/etcdusers.yaml"),
    include_str!("../../../../crds/etcdroles.yaml"),
];

/// Of fields that this project defines. What is Kubernetes' own, inside pods, has no bounds in the schema.
pub fn demands() -> Vec<Demand> {
    let mut demands = Vec::new();
    for text in DEFINITIONS {
        let definition: Value = serde_yaml_ng::from_str(text).expect("YAML");
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        rules(schema, "", &mut demands);
        gather(&schema["properties"]["spec"], "spec", &mut demands);
    }
    // Names, and what never changes, are tried by tests of their own.
    demands.retain(|demand| !demand.field.is_empty());
    demands
}

fn gather(schema: &Value, field: &str, demands: &mut Vec<Demand>) {
    rules(schema, field, demands);
    bounds(schema, field, demands);
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        if !is_kubernetes_own(field, name) {
            gather(inner, &format!("{field}.{name}"), demands);
        }
    }
    if schema["items"].is_object() {
        gather(&schema["items"], &format!("{field}[*]"), demands);
    }
}

fn is_kubernetes_own(field: &str, name: &str) -> bool {
    let own = [
        "affinity",
        "imagePullSecrets",
        "resources",
        "tolerations",
        "topologySpreadConstraints",
    ];
    (field == "spec.podTemplate" || field.ends_with(".pod")) && own.contains(&name)
}

fn rules(schema: &Value, field: &str, demands: &mut Vec<Demand>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let message = rule["message"].as_str().expect("every rule has a message").to_owned();
        demands.push(Demand {
            field: field.to_owned(),
            message,
        });
    }
}

fn bounds(schema: &Value, field: &str, demands: &mut Vec<Demand>) {
    let mut demand = |field: &str, message: String| {
        demands.push(Demand {
            field: field.to_owned(),
            message,
        })
    };
    let number = |name: &str| schema[name].as_f64();
    if let Some(least) = number("minimum") {
        demand(field, format!("greater than or equal to {least}"));
    }
    if let Some(most) = number("maximum") {
        demand(field, format!("less than or equal to {most}"));
    }
    if let Some(least) = number("minLength") {
        demand(field, format!("at least {least} chars long"));
    }
    if let Some(most) = number("maxLength") {
        demand(field, format!("may not be more than {most} "));
    }
    for name in ["maxItems", "maxProperties"] {
        if let Some(most) = number(name) {
            demand(field, format!("must have at most {most} items"));
        }
    }
    if schema["enum"].is_array() {
        demand(field, "Unsupported value".to_owned());
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        demand(
            &format!("{field}.{}", name.as_str().unwrap_or_default()),
            "Required value".to_owned(),
        );
    }
}
