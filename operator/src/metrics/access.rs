//! Users and roles in etcd, by cluster.

use prometheus::{IntCounterVec, Opts, Registry};

use super::kept;

const KINDS: [&str; 2] = ["user", "role"];
const CAUSES: [&str; 2] = ["declared", "drift"];

pub(super) struct Access {
    changes: IntCounterVec,
}

impl Access {
    pub fn new(registry: &Registry) -> Self {
        let changes = Opts::new(
            "taffrail_access_changes_total",
            "Times that a user or role in etcd was brought to what is declared: because that changed, or etcd did",
        );
        let labels = ["namespace", "cluster", "kind", "cause"];
        Self {
            changes: kept(registry, IntCounterVec::new(changes, &labels)),
        }
    }

    pub fn changed(&self, namespace: &str, cluster: &str, kind: &str, drifted: bool) {
        let cause = CAUSES[usize::from(drifted)];
        self.changes.with_label_values(&[namespace, cluster, kind, cause]).inc();
    }

    /// They may never have been there.
    pub fn forget(&self, namespace: &str, cluster: &str) {
        for kind in KINDS {
            for cause in CAUSES {
                let _ = self.changes.remove_label_values(&[namespace, cluster, kind, cause]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::Metrics;

    #[test]
    fn changes_are_counted_by_their_cause_and_go_without_a_trace() {
        let metrics = Metrics::default();
        metrics.access_changed("ns", "a", "user", false);
        metrics.access_changed("ns", "a", "role", true);
        let text = metrics.text().unwrap();
        for line in [
            r#"taffrail_access_changes_total{cause="declared",cluster="a",kind="user",namespace="ns"} 1"#,
            r#"taffrail_access_changes_total{cause="drift",cluster="a",kind="role",namespace="ns"} 1"#,
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
        metrics.forget("ns", "a");
        assert!(!metrics.text().unwrap().contains(r#"cluster="a""#));
    }
}
