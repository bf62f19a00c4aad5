//! What is committed to be deployed is what the operator is and may do.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::path::PathBuf;

use clap::Parser;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Container;
use serde::Deserialize;
use taffrail_operator::args::Arguments;
use taffrail_operator::rbac::{ACCOUNT, LEASE_RULES, NAMESPACE, RULES, yaml};

/// Set, the files are written anew instead of compared.
const REWRITE: &str = "TAFFRAIL_WRITE_RBAC";

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

fn deployment() -> Deployment {
    let text = std::fs::read_to_string(file("operator.yaml")).unwrap();
    let documents = serde_yaml_ng::Deserializer::from_str(&text);
    let mut all = documents.map(|one| serde_yaml_ng::Value::deserialize(one).unwrap());
    serde_yaml_ng::from_value(all.find(|one| one["kind"] == "Deployment").unwrap()).unwrap()
}

fn container() -> Container {
    let pod = deployment().spec.template.spec.unwrap();
    assert_eq!(pod.service_account_name.as_deref(), Some(ACCOUNT));
    pod.containers.into_iter().next().unwrap()
}

#[test]
fn the_committed_roles_are_those_of_the_table() {
    for (name, namespaced) in [("rbac.yaml", false), ("rbac-namespaced.yaml", true)] {
        let printed = yaml(namespaced).unwrap();
        if std::env::var_os(REWRITE).is_some() {
            std::fs::write(file(name), &printed).unwrap();
        }
        let committed = std::fs::read_to_string(file(name)).unwrap();
        assert_eq!(
            committed, printed,
            "{name} differs from operator/src/rbac.rs: set {REWRITE}=1 to write it anew"
        );
    }
}

#[test]
fn nothing_is_allowed_wholesale() {
    for rule in RULES.iter().chain(&LEASE_RULES) {
        let words = rule.resources.iter().chain(rule.verbs).chain([&rule.group]);
        assert!(words.clone().all(|word| !word.contains('*')));
        assert!(!rule.resources.contains(&"pods/exec") && !rule.verbs.contains(&"deletecollection"));
        assert!(!rule.resources.contains(&"secrets") || !rule.verbs.contains(&"delete"));
        assert!(!rule.resources.contains(&"etcdclusters") || !rule.verbs.contains(&"delete"));
    }
}

#[test]
fn the_deployment_starts_the_operator_that_there_is() {
    let container = container();
    let arguments = ["taffrail-operator".to_owned()]
        .into_iter()
        .chain(container.args.unwrap());
    let arguments = Arguments::try_parse_from(arguments).unwrap();
    assert!(arguments.run.leader_elect, "there are two of them");
    let ports: Vec<_> = container
        .ports
        .unwrap()
        .into_iter()
        .map(|port| port.container_port)
        .collect();
    let listens = [arguments.run.metrics_address, arguments.run.health_address];
    assert_eq!(ports, listens.map(|address| i32::from(address.port())));
    let image = container
        .env
        .unwrap()
        .into_iter()
        .find(|one| one.name == "TAFFRAIL_OPERATOR_OPERATOR_IMAGE");
    assert_eq!(image.unwrap().value, container.image);
    assert_eq!(deployment().metadata.namespace.as_deref(), Some(NAMESPACE));
}

#[test]
fn the_operator_is_restricted() {
    let security = container().security_context.unwrap();
    assert_eq!(security.read_only_root_filesystem, Some(true));
    assert_eq!(security.allow_privilege_escalation, Some(false));
    let pod = deployment().spec.template.spec.unwrap().security_context.unwrap();
    assert_eq!(
        (pod.run_as_non_root, pod.seccomp_profile.unwrap().type_),
        (Some(true), "RuntimeDefault".into())
    );
}
