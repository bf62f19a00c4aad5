//! Which objects belong to a cluster.

use serde_json::Value;
use taffrail_crds::{CLUSTER, MANAGED_BY, MANAGER};

/// A kind, and where an API server has it: group and version, plural.
pub struct Wanted {
    pub api: &'static str,
    pub plural: &'static str,
    /// Only what the operator made.
    pub managed: bool,
}

const OURS: &str = "/apis/etcd.taffrail.dev/v1alpha1";

const fn ours(plural: &'static str) -> Wanted {
    Wanted {
        api: OURS,
        plural,
        managed: false,
    }
}

const fn made(api: &'static str, plural: &'static str) -> Wanted {
    Wanted {
        api,
        plural,
        managed: true,
    }
}

/// Secrets are not among them, and never will be.
pub const WANTED: [Wanted; 13] = [
    ours("etcdmembers"),
    ours("etcdbackups"),
    ours("etcdbackupschedules"),
    ours("etcddefragmentations"),
    ours("etcdusers"),
    ours("etcdroles"),
    made("/api/v1", "pods"),
    made("/api/v1", "services"),
    made("/api/v1", "persistentvolumeclaims"),
    made("/apis/policy/v1", "poddisruptionbudgets"),
    made("/apis/networking.k8s.io/v1", "networkpolicies"),
    made("/apis/batch/v1", "jobs"),
    made("/apis/discovery.k8s.io/v1", "endpointslices"),
];

impl Wanted {
    pub fn path(&self, namespace: &str) -> String {
        let Self { api, plural, managed } = self;
        let selector = if *managed {
            format!("?labelSelector={}%3D{MANAGER}", MANAGED_BY.replace('/', "%2F"))
        } else {
            String::new()
        };
        format!("{api}/namespaces/{namespace}/{plural}{selector}")
    }

    /// What names another cluster is that one's.
    pub fn is_of(&self, cluster: &str, object: &Value) -> bool {
        let named = match self.managed {
            true => object
                .pointer("/metadata/labels")
                .and_then(|labels| labels.get(CLUSTER)),
            false => [
                "/spec/clusterName",
                "/spec/clusterRef/name",
                "/spec/template/clusterRef/name",
            ]
            .iter()
            .find_map(|path| object.pointer(path)),
        };
        named.is_none_or(|name| name == cluster)
    }
}

pub fn name(object: &Value) -> &str {
    object
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Events of the cluster itself and of everything that was found.
pub fn is_event_of(cluster: &str, names: &[String], event: &Value) -> bool {
    let of = event
        .pointer("/involvedObject/name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    of == cluster
        || names.iter().any(|name| name == of)
        || of.strip_prefix(cluster).is_some_and(|rest| rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_secret_is_ever_asked_for() {
        assert!(WANTED.iter().all(|one| !one.path("a").contains("secret")));
    }

    #[test]
    fn other_clusters_stay_out() {
        let backups = ours("etcdbackups");
        let of = |name: &str| json!({"spec": {"clusterRef": {"name": name}}});
        assert!(backups.is_of("demo", &of("demo")) && !backups.is_of("demo", &of("other")));
        let pods = made("/api/v1", "pods");
        assert!(!pods.is_of("demo", &json!({"metadata": {"labels": {CLUSTER: "other"}}})));
        assert!(pods.is_of("demo", &json!({"metadata": {"labels": {}}})));
    }
}
