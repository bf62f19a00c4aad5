//! What the operator may do, in one table. The YAML beside it is printed from here and a test compares them.

use serde_json::{Value, json};

/// Where the operator itself runs.
pub const NAMESPACE: &str = "taffrail-system";
pub const ACCOUNT: &str = "taffrail-operator";
/// The Lease by which several operators agree who acts.
pub const LEASE: &str = "taffrail-operator";

/// API group, resources, and what is done with them.
pub struct Rule {
    pub group: &'static str,
    pub resources: &'static [&'static str],
    pub verbs: &'static [&'static str],
}

const fn rule(group: &'static str, resources: &'static [&'static str], verbs: &'static [&'static str]) -> Rule {
    Rule {
        group,
        resources,
        verbs,
    }
}

/// In the namespaces of clusters: all of them, or those that are watched.
pub const RULES: [Rule; 17] = [
    // An acknowledgement of data loss is taken off the cluster once it was made use of.
    rule(
        "etcd.taffrail.dev",
        &["etcdclusters"],
        &["get", "list", "watch", "patch"],
    ),
    rule(
        "etcd.taffrail.dev",
        &["etcdmembers"],
        &["get", "list", "watch", "create", "patch", "delete"],
    ),
    // A schedule makes backups, and deletes those that nobody needs to look at any longer.
    rule(
        "etcd.taffrail.dev",
        &["etcdbackups"],
        &["get", "list", "watch", "create", "delete"],
    ),
    rule("etcd.taffrail.dev", &["etcdbackupschedules"], &["get", "list", "watch"]),
    // A policy makes defragmentations, and deletes those that nobody needs to look at any longer.
    rule(
        "etcd.taffrail.dev",
        &["etcddefragmentations"],
        &["get", "list", "watch", "create", "delete"],
    ),
    rule(
        "etcd.taffrail.dev",
        &["etcdusers", "etcdroles"],
        &["get", "list", "watch"],
    ),
    rule(
        "etcd.taffrail.dev",
        &[
            "etcdclusters/status",
            "etcdmembers/status",
            "etcdbackups/status",
            "etcdbackupschedules/status",
            "etcddefragmentations/status",
            "etcdusers/status",
            "etcdroles/status",
        ],
        &["patch"],
    ),
    // What they own blocks their deletion, which some API servers allow only to who may do this.
    rule(
        "etcd.taffrail.dev",
        &[
            "etcdclusters/finalizers",
            "etcdmembers/finalizers",
            "etcdbackups/finalizers",
            "etcdbackupschedules/finalizers",
        ],
        &["update"],
    ),
    rule("batch", &["jobs"], &["get", "list", "watch", "create", "delete"]),
    rule("", &["pods"], &["get", "list", "watch", "create", "patch", "delete"]),
    rule(
        "",
        &["persistentvolumeclaims"],
        &["get", "list", "watch", "create", "patch", "delete"],
    ),
    rule("", &["services"], &["get", "list", "watch", "create", "patch"]),
    rule("", &["secrets"], &["get", "list", "watch", "create", "update"]),
    rule(
        "policy",
        &["poddisruptionbudgets"],
        &["get", "list", "watch", "create", "patch"],
    ),
    rule("events.k8s.io", &["events"], &["create", "patch"]),
    rule("cert-manager.io", &["certificates"], &["get", "create", "patch"]),
    // For cert-manager's certificates the same holds as for our own kinds.
    rule("cert-manager.io", &["certificates/finalizers"], &["update"]),
];

/// Where the Lease is.
pub const LEASE_RULES: [Rule; 1] = [rule("coordination.k8s.io", &["leases"], &["get", "create", "update"])];

impl Rule {
    fn json(&self) -> Value {
        json!({"apiGroups": [self.group], "resources": self.resources, "verbs": self.verbs})
    }
}

/// For the whole Kubernetes cluster, or for one namespace: `kubectl apply --namespace TEAM`.
///
/// # Errors
/// If it cannot be written as YAML, which would be a mistake in the table.
pub fn yaml(namespaced: bool) -> Result<String, serde_yaml_ng::Error> {
    let documents = match namespaced {
        true => vec![role("Role", ACCOUNT, None, &RULES), binding("Role", ACCOUNT, None)],
        false => vec![
            role("ClusterRole", ACCOUNT, None, &RULES),
            binding("ClusterRole", ACCOUNT, None),
            role("Role", "taffrail-operator-lease", Some(NAMESPACE), &LEASE_RULES),
            binding("Role", "taffrail-operator-lease", Some(NAMESPACE)),
        ],
    };
    let texts = documents
        .iter()
        .map(serde_yaml_ng::to_string)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(format!(
        "# Printed by `taffrail-operator rbac`; do not edit.\n{}",
        texts.join("---\n")
    ))
}

/// Both tables, from which the chart makes roles.
///
/// # Errors
/// As [`yaml`].
pub fn tables() -> Result<String, serde_yaml_ng::Error> {
    let json = |rules: &[Rule]| rules.iter().map(Rule::json).collect::<Vec<_>>();
    let both = json!({"rules": json(&RULES), "leaseRules": json(&LEASE_RULES)});
    Ok(format!(
        "# Generated from operator/src/rbac.rs; do not edit.\n{}",
        serde_yaml_ng::to_string(&both)?
    ))
}

fn role(kind: &str, name: &str, namespace: Option<&str>, rules: &[Rule]) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": metadata(name, namespace),
        "rules": rules.iter().map(Rule::json).collect::<Vec<_>>(),
    })
}

fn binding(kind: &str, name: &str, namespace: Option<&str>) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": format!("{kind}Binding"),
        "metadata": metadata(name, namespace),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}],
    })
}

fn metadata(name: &str, namespace: Option<&str>) -> Value {
    let labels = json!({"app.kubernetes.io/name": "taffrail-operator"});
    match namespace {
        Some(namespace) => json!({"name": name, "namespace": namespace, "labels": labels}),
        None => json!({"name": name, "labels": labels}),
    }
}
