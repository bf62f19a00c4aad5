//! The charts hold what the operator is: its kinds, its rights, and flags that it has.
//! `TAFFRAIL_WRITE_CHART=1 cargo test -p taffrail-operator --test chart` writes what is generated anew.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::support::{chart, repository, yaml};
use clap::Parser;
use serde_yaml_ng::Value;
use taffrail_crds::{KINDS, Kind, yaml_of};
use taffrail_operator::args::Arguments;
use taffrail_operator::rbac;

/// Set, what is generated is written anew instead of compared.
const REWRITE: &str = "TAFFRAIL_WRITE_CHART";
/// A Secret of Kubernetes holds 1 MiB, and Helm keeps a release in one: charts, values and manifests, compressed and in
/// base64.
const GENERATED_BYTES_MAX: u64 = 512 * 1024;

fn is_committed(path: PathBuf, wanted: &str) {
    if std::env::var_os(REWRITE).is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "{} is behind: set {REWRITE}=1 to write it anew",
        path.display()
    );
}

/// Helm leaves what is marked so alone when it uninstalls: with its kind every object would go.
fn kept(definition: &str) -> String {
    let marked = definition.replacen(
        "metadata:\n",
        "metadata:\n  annotations:\n    helm.sh/resource-policy: keep\n",
        1,
    );
    assert_eq!(
        yaml(&marked)["metadata"]["annotations"]["helm.sh/resource-policy"],
        "keep"
    );
    marked
}

#[test]
fn the_charts_kinds_are_those_of_the_types_and_stay_when_it_goes() {
    let mut bytes = 0;
    for Kind { file, definition } in KINDS {
        let wanted = kept(&yaml_of(&definition()).unwrap());
        bytes += wanted.len() as u64;
        is_committed(chart("files/crds").join(file), &wanted);
    }
    assert!(bytes < GENERATED_BYTES_MAX, "{bytes} bytes");
    let there = std::fs::read_dir(chart("files/crds")).unwrap().count();
    assert_eq!(there, KINDS.len(), "a kind that is no more");
}

#[test]
fn the_charts_rights_are_those_of_the_table() {
    is_committed(chart("files/rbac.yaml"), &rbac::tables().unwrap());
}

#[test]
fn the_charts_version_is_the_operators() {
    for path in ["Chart.yaml", "../etcd-cluster/Chart.yaml"] {
        let text = yaml(&std::fs::read_to_string(chart(path)).unwrap());
        assert_eq!(text["version"], env!("CARGO_PKG_VERSION"), "{path}");
        assert_eq!(text["appVersion"], env!("CARGO_PKG_VERSION"), "{path}");
    }
}

#[test]
fn the_charts_flags_are_flags_of_the_operator() {
    let text = std::fs::read_to_string(chart("templates/deployment.yaml")).unwrap();
    let flags = text.lines().filter_map(|line| line.trim().strip_prefix("- --"));
    let values = [
        ("log-format", "text"),
        ("resync", "5m"),
        ("health-interval", "5s"),
        ("authority-overlap", "1h"),
        ("concurrency", "8"),
    ];
    let mut words = vec!["taffrail-operator".to_owned(), "run".to_owned()];
    for flag in flags {
        let (name, templated) = flag.split_once('=').map_or((flag, false), |(name, _)| (name, true));
        let value = values
            .iter()
            .find(|(one, _)| *one == name)
            .map_or("x", |(_, value)| value);
        words.push(if templated {
            format!("--{name}={value}")
        } else {
            format!("--{name}")
        });
    }
    assert!(words.len() > 8, "{words:?}");
    Arguments::try_parse_from(words).unwrap();
}

/// The documented paths of values: leaves, and maps that are empty.
fn paths(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Mapping(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let name = name.as_str().unwrap();
                let path = if at.is_empty() {
                    name.to_owned()
                } else {
                    format!("{at}.{name}")
                };
                paths(value, &path, found);
            }
        }
        _ => drop(found.insert(at.to_owned())),
    }
}

fn allowed<'a>(schema: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(schema, |at, name| {
        at.get("properties")
            .and_then(|fields| fields.get(name))
            .or(at.get("additionalProperties").filter(|any| any.is_mapping()))
            .or_else(|| (at["type"] == "object" && at.get("properties").is_none()).then_some(at))
    })
}

#[test]
fn every_value_is_in_the_schema_and_in_the_readme() {
    for folder in ["etcd-operator", "etcd-cluster"] {
        let file = |name: &str| std::fs::read_to_string(repository("charts").join(folder).join(name)).unwrap();
        let (schema, readme) = (yaml(&file("values.schema.json")), file("README.md"));
        let mut found = BTreeSet::new();
        paths(&yaml(&file("values.yaml")), "", &mut found);
        for path in found {
            assert!(
                allowed(&schema, &path).is_some(),
                "{folder}: {path} is not in the schema"
            );
            let row = format!("| `{path}` |");
            let mut above = path.match_indices('.').map(|(at, _)| format!("| `{}` |", &path[..at]));
            let documented = readme.contains(&row) || above.any(|row| readme.contains(&row));
            assert!(documented, "{folder}: README.md has no row for {path}");
        }
        assert_eq!(
            schema["additionalProperties"], false,
            "{folder}: unknown values are refused"
        );
    }
}
