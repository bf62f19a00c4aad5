//! The reference of the API as a page, from the same definitions as the YAML.

use std::fmt::Write;

use serde_json::Value;

use crate::{GROUP, KINDS, VERSION};

/// Fields of Kubernetes, which documents them better.
const OF_KUBERNETES: [(&str, &str); 6] = [
    ("imagePullSecrets", "ImagePullSecrets of a PodSpec"),
    ("affinity", "Affinity of a PodSpec"),
    ("resources", "ResourceRequirements of a container"),
    ("tolerations", "Tolerations of a PodSpec"),
    ("topologySpreadConstraints", "TopologySpreadConstraints of a PodSpec"),
    (
        "conditions",
        "Conditions as everywhere in Kubernetes: type, status, reason, message, lastTransitionTime",
    ),
];
/// Fields that are those of an EtcdBackup again.
const OF_BACKUPS: [(&str, &str); 4] = [
    ("template", "as `spec`"),
    ("target", "as `spec.target`"),
    ("encryption", "as `spec.encryption`"),
    ("pod", "as `spec.pod`"),
];

/// The page: a table per kind.
///
/// # Errors
/// If a definition cannot be written as JSON, which would be a mistake in the types.
pub fn reference() -> Result<String, serde_json::Error> {
    let mut page = format!(
        "# API reference\n\n<!-- Generated from the types in crds/src; do not edit. -->\n\n`{GROUP}/{VERSION}`. Bounds \
         and rules are kept by the API server itself: what breaks them is refused when it is applied. Fields without a \
         default that are not required may be left out.\n"
    );
    for kind in KINDS {
        let definition = serde_json::to_value((kind.definition)())?;
        one_kind(&mut page, &definition);
    }
    Ok(page)
}

/// A row of a table, and rules that are told below it.
#[derive(Default)]
struct Part {
    rows: String,
    rules: String,
    kind: String,
}

fn one_kind(page: &mut String, definition: &Value) {
    let spec = &definition["spec"];
    let names = &spec["names"];
    let kind = names["kind"].as_str().unwrap_or_default();
    let schema = &spec["versions"][0]["schema"]["openAPIV3Schema"];
    let title = schema["properties"]["spec"]["description"].as_str().unwrap_or_default();
    let _ = write!(
        page,
        "\n## {kind}\n\n{title} Short name: `{}`.\n",
        names["shortNames"][0].as_str().unwrap_or_default()
    );
    let mut all_rules = String::new();
    rules(&mut all_rules, "", schema);
    for room in ["spec", "status"] {
        let mut part = Part {
            kind: kind.to_owned(),
            ..Part::default()
        };
        let top = &schema["properties"][room];
        rules(&mut part.rules, room, top);
        fields(&mut part, room, top);
        let _ = write!(
            page,
            "\n### {kind} {room}\n\n| Field | Type | Default | Bounds | |\n|---|---|---|---|---|\n{}",
            part.rows
        );
        all_rules.push_str(&part.rules);
    }
    if !all_rules.is_empty() {
        let _ = write!(
            page,
            "\n### Rules of {kind}\n\n| Field | Rule |\n|---|---|\n{all_rules}"
        );
    }
}

fn fields(part: &mut Part, path: &str, schema: &Value) {
    let required: Vec<_> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let properties = schema["properties"].as_object();
    for (name, field) in properties.into_iter().flatten() {
        let full = format!("{path}.{name}");
        let shown = full
            .split_once('.')
            .map_or(full.as_str(), |(_, shown)| shown)
            .to_owned();
        let elsewhere = elsewhere(part, name, field);
        let description = [text(&field["description"]), elsewhere.clone().unwrap_or_default()];
        let default = default_of(field, required.contains(&name.as_str()));
        let (kind, bounds) = (type_of(field), bounds(field));
        let said = description
            .iter()
            .filter(|text| !text.is_empty())
            .cloned()
            .collect::<Vec<_>>()
            .join(" ");
        let _ = writeln!(part.rows, "| `{shown}` | {kind} | {default} | {bounds} | {said} |");
        if elsewhere.is_none() {
            rules(&mut part.rules, &full, field);
            fields(part, &full, field);
            let items = &field["items"];
            if items.is_object() {
                rules(&mut part.rules, &format!("{full}[]"), items);
                fields(part, &format!("{full}[]"), items);
            }
        }
    }
}

/// Where its fields are told, if not here.
fn elsewhere(part: &Part, name: &str, field: &Value) -> Option<String> {
    let has_fields = field["properties"].is_object() || field["items"]["properties"].is_object();
    let find = |table: &[(&str, &'static str)]| table.iter().find(|(key, _)| *key == name).map(|(_, says)| *says);
    if !has_fields {
        return None;
    }
    if let Some(says) = find(&OF_KUBERNETES) {
        return Some(format!("({says}.)"));
    }
    let of_backups = find(&OF_BACKUPS).filter(|_| part.kind != "EtcdBackup");
    of_backups.map(|says| format!("({says} of [EtcdBackup](#etcdbackup-spec).)"))
}

fn rules(into: &mut String, path: &str, schema: &Value) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let on_change = rule["rule"].as_str().is_some_and(|rule| rule.contains("oldSelf"));
        let when = if on_change { "On change: " } else { "" };
        let path = if path.is_empty() { "the object" } else { path };
        let _ = writeln!(into, "| `{path}` | {when}{} |", text(&rule["message"]));
    }
}

fn type_of(field: &Value) -> String {
    let name = |one: &Value| one["type"].as_str().unwrap_or("any").to_owned();
    if field["x-kubernetes-int-or-string"] == true {
        return "integer or string".into();
    }
    match (name(field).as_str(), &field["items"], &field["additionalProperties"]) {
        ("array", items, _) => format!("list of {}", name(items)),
        ("object", _, values) if values.is_object() => format!("map of {}", name(values)),
        (plain, ..) => plain.to_owned(),
    }
}

/// Defaults that are objects are those of their fields.
fn default_of(field: &Value, required: bool) -> String {
    match &field["default"] {
        _ if required => "required".into(),
        Value::Null | Value::Object(_) => String::new(),
        Value::String(words) if words.is_empty() => String::new(),
        Value::String(words) => format!("`{words}`"),
        other => format!("`{other}`"),
    }
}

fn bounds(field: &Value) -> String {
    let mut all = Vec::new();
    // Schemas have floating bounds of whole numbers too.
    let number = |key: &str| field[key].as_f64().map(|bound| bound.to_string());
    let range = |least: &str, most: &str, of: &str| match (number(least), number(most)) {
        (None, None) => None,
        (Some(least), None) => Some(format!("at least {least}{of}")),
        (None, Some(most)) => Some(format!("at most {most}{of}")),
        (Some(least), Some(most)) => Some(format!("{least} to {most}{of}")),
    };
    let values = field["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let values: Vec<_> = values.map(|value| format!("`{value}`")).collect();
    all.extend((!values.is_empty()).then(|| values.join(", ")));
    all.extend(range("minimum", "maximum", ""));
    all.extend(range("minLength", "maxLength", " letters"));
    all.extend(range("minItems", "maxItems", " items"));
    all.extend(range("minProperties", "maxProperties", " entries"));
    all.join("; ")
}

/// One line, and no bar that would end a cell.
fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_default()
        .replace('\n', " ")
        .replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_tell_type_default_and_bounds() {
        let number = json!({"type": "integer", "default": 3, "minimum": 0, "maximum": 9.0});
        assert_eq!(
            (type_of(&number), default_of(&number, false), bounds(&number)),
            ("integer".into(), "`3`".into(), "0 to 9".into())
        );
        let list = json!({"type": "array", "items": {"type": "string"}, "maxItems": 2});
        assert_eq!(
            (type_of(&list), bounds(&list)),
            ("list of string".into(), "at most 2 items".into())
        );
        let word = json!({"type": "string", "enum": ["A", "B"], "default": "A"});
        assert_eq!(
            (default_of(&word, false), bounds(&word)),
            ("`A`".into(), "`A`, `B`".into())
        );
        assert_eq!(default_of(&word, true), "required");
    }

    #[test]
    fn every_message_of_every_rule_is_told() {
        let page = reference().unwrap();
        for message in [
            "volumes cannot shrink",
            "exactly one of s3, gcs, azure and volume is needed",
            "at most 40 letters",
        ] {
            assert!(page.contains(message), "{message}");
        }
    }
}
