//! What the operator counts and measures, for Prometheus.

mod access;
mod backups;
mod process;
mod space;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use prometheus::{
    Encoder, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
};
use taffrail_crds::{ConditionType, EtcdCluster};

use access::Access;
pub use backups::BackupFigures;
use backups::Backups;
use process::Process;
use space::Space;

const CLUSTER: [&str; 2] = ["namespace", "cluster"];
/// Seconds; a look takes milliseconds, a step that waits for etcd up to some seconds.
const BUCKETS: [f64; 10] = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0];

/// What the operator counts and measures.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    duration: HistogramVec,
    failures: IntCounterVec,
    steps: IntCounterVec,
    members: IntGaugeVec,
    ready: IntGaugeVec,
    wanted: IntGaugeVec,
    updated: IntGaugeVec,
    quorum: IntGaugeVec,
    leader: IntGaugeVec,
    phase: IntGaugeVec,
    condition: IntGaugeVec,
    restore: IntGaugeVec,
    expiry: GaugeVec,
    process: Process,
    backups: Backups,
    space: Space,
    access: Access,
    /// Series by cluster, so that they go with it.
    shown: Mutex<BTreeSet<Series>>,
}

/// Namespace, cluster, the name of a gauge with a third label, and that label.
type Series = (String, String, &'static str, String);

impl Default for Metrics {
    fn default() -> Self {
        let registry = Registry::new();
        let gauge = |name: &str, help: &str| ints(&registry, name, help, &CLUSTER);
        let inner = Inner {
            members: gauge("members", "Members there are"),
            ready: gauge("ready_members", "Voters that are healthy"),
            wanted: gauge("wanted_members", "Members that were declared"),
            updated: gauge(
                "updated_members",
                "Members that run what is declared: how far an upgrade is",
            ),
            quorum: gauge("has_quorum", "1 if a quorum answers clients"),
            leader: ints(
                &registry,
                "leader",
                "1 for the member that leads",
                &["namespace", "cluster", "member"],
            ),
            phase: ints(
                &registry,
                "phase",
                "1 for the phase of the cluster",
                &["namespace", "cluster", "phase"],
            ),
            condition: ints(
                &registry,
                "condition",
                "1 for a condition that is True, 0 for one that is not",
                &["namespace", "cluster", "condition"],
            ),
            restore: ints(
                &registry,
                "restore",
                "1 for the phase of the restore that the cluster began with",
                &["namespace", "cluster", "phase"],
            ),
            expiry: expiry(&registry),
            process: Process::new(&registry),
            backups: Backups::new(&registry),
            space: Space::new(&registry),
            access: Access::new(&registry),
            duration: duration(&registry),
            failures: counter(
                &registry,
                "reconcile_failures_total",
                "Looks that failed, by their error",
                "error",
            ),
            steps: counter(&registry, "steps_total", "Steps that were taken, by their kind", "step"),
            shown: Mutex::default(),
            registry,
        };
        Self(Arc::new(inner))
    }
}

impl Metrics {
    /// This operator is the one that acts, for as long as its process lives.
    pub fn leads(&self) {
        self.0.process.leads.set(1);
    }

    /// An object was looked at that cannot be understood.
    pub fn unreadable(&self, kind: &str) {
        self.0.process.unreadable.with_label_values(&[kind]).inc();
    }

    /// One look at a cluster is over; `error`: the label of what failed.
    pub fn looked(&self, took: Duration, error: Option<&str>) {
        let outcome = if error.is_some() { "error" } else { "ok" };
        self.0
            .duration
            .with_label_values(&[outcome])
            .observe(took.as_secs_f64());
        if let Some(error) = error {
            self.failed(error);
        }
    }

    /// One look, at a cluster or anything else, failed with the error of this label.
    pub fn failed(&self, error: &str) {
        self.0.failures.with_label_values(&[error]).inc();
    }

    /// A step was taken.
    pub fn step(&self, kind: &str) {
        self.0.steps.with_label_values(&[kind]).inc();
    }

    /// Shows a cluster as its status tells.
    pub fn show(&self, cluster: &EtcdCluster) {
        let (namespace, name) = (cluster.namespace().unwrap_or_default(), cluster.name_any());
        let status = cluster.status.clone().unwrap_or_default();
        let holds = |kind: ConditionType| {
            let mut all = status.conditions.iter();
            all.any(|one| one.type_ == kind.name() && one.status == "True")
        };
        let quorum = holds(ConditionType::Available);
        self.0.space.show(&namespace, &name, holds(ConditionType::NoSpace));
        let numbers = [
            (&self.0.members, status.replicas),
            (&self.0.ready, status.ready_replicas),
            (&self.0.wanted, cluster.spec.replicas),
            (&self.0.updated, status.updated_replicas),
            (&self.0.quorum, i32::from(quorum)),
        ];
        for (gauge, value) in numbers {
            gauge.with_label_values(&[&namespace, &name]).set(value.into());
        }
        let expiries = status
            .certificates
            .iter()
            .filter_map(|one| Some((one.name.clone(), seconds(&one.not_after)?)));
        let mut third: Vec<_> = expiries.map(|(certificate, at)| ("expiry", certificate, at)).collect();
        let conditions = status.conditions.into_iter();
        third.extend(conditions.map(|one| ("condition", one.type_, f64::from(u8::from(one.status == "True")))));
        third.extend(status.restore.map(|one| ("restore", format!("{:?}", one.phase), 1.0)));
        third.extend(status.leader.map(|member| ("leader", member, 1.0)));
        third.extend(status.phase.map(|phase| ("phase", phase, 1.0)));
        self.replace(&namespace, &name, third);
    }

    /// Series with a third label: those that are no more go.
    fn replace(&self, namespace: &str, name: &str, now: Vec<(&'static str, String, f64)>) {
        let mut shown = self.0.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let series = |(gauge, label, _): &(&'static str, String, f64)| -> Series {
            (namespace.into(), name.into(), gauge, label.clone())
        };
        let keep: BTreeSet<Series> = now.iter().map(series).collect();
        shown.retain(|one| {
            let stays = (one.0.as_str(), one.1.as_str()) != (namespace, name) || keep.contains(one);
            if !stays {
                drop_series(one, &self.0);
            }
            stays
        });
        for (gauge, label, value) in now {
            self.set(gauge, &[namespace, name, &label], value);
        }
        shown.extend(keep);
    }

    fn set(&self, gauge: &str, labels: &[&str; 3], value: f64) {
        match gauge {
            "expiry" => self.0.expiry.with_label_values(labels).set(value),
            "condition" => self.0.condition.with_label_values(labels).set(i64::from(value > 0.0)),
            "restore" => self.0.restore.with_label_values(labels).set(1),
            "leader" => self.0.leader.with_label_values(labels).set(1),
            _ => self.0.phase.with_label_values(labels).set(1),
        }
    }

    /// Shows the backups of a cluster.
    pub fn show_backups(&self, namespace: &str, cluster: &str, figures: &BackupFigures) {
        self.0.backups.show(namespace, cluster, figures);
    }

    /// A defragmentation came to its end.
    pub fn defragmented(&self, namespace: &str, cluster: &str, succeeded: bool) {
        self.0.space.defragmented(namespace, cluster, succeeded);
    }

    /// Members gave so many bytes back to their disks.
    pub fn reclaimed(&self, namespace: &str, cluster: &str, bytes: i64) {
        self.0.space.reclaimed(namespace, cluster, bytes);
    }

    /// A user or role in etcd was brought to what is declared; `drifted`: somebody else had changed it.
    pub fn access_changed(&self, namespace: &str, cluster: &str, kind: &str, drifted: bool) {
        self.0.access.changed(namespace, cluster, kind, drifted);
    }

    /// A backup came to a bad end.
    pub fn backup_failed(&self, namespace: &str, cluster: &str, reason: &str) {
        self.0.backups.failed(namespace, cluster, reason);
    }

    /// A cluster is no more.
    pub fn forget(&self, namespace: &str, name: &str) {
        self.replace(namespace, name, Vec::new());
        self.0.backups.forget(namespace, name);
        self.0.space.forget(namespace, name);
        self.0.access.forget(namespace, name);
        let inner = &self.0;
        for gauge in [
            &inner.members,
            &inner.ready,
            &inner.wanted,
            &inner.updated,
            &inner.quorum,
        ] {
            let _ = gauge.remove_label_values(&[namespace, name]);
        }
    }

    /// The text that Prometheus reads.
    ///
    /// # Errors
    /// If it cannot be written as text, which would be a mistake in a name.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.0.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

fn drop_series((namespace, name, gauge, label): &Series, inner: &Inner) {
    let labels = [namespace.as_str(), name, label];
    // It may have gone already.
    let _ = match *gauge {
        "expiry" => inner.expiry.remove_label_values(&labels),
        "condition" => inner.condition.remove_label_values(&labels),
        "restore" => inner.restore.remove_label_values(&labels),
        "leader" => inner.leader.remove_label_values(&labels),
        _ => inner.phase.remove_label_values(&labels),
    };
}

fn seconds(rfc3339: &str) -> Option<f64> {
    let at: Timestamp = rfc3339.parse().ok()?;
    Some(at.as_duration().as_secs_f64())
}

fn full(name: &str) -> String {
    format!("taffrail_operator_{name}")
}

#[expect(clippy::expect_used, reason = "names are constants; a test registers them all")]
fn kept<C: prometheus::core::Collector + Clone + 'static>(registry: &Registry, made: prometheus::Result<C>) -> C {
    let collector = made.expect("names are constants");
    registry
        .register(Box::new(collector.clone()))
        .expect("each is registered once");
    collector
}

fn ints(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    let name = format!("cluster_{name}");
    kept(registry, IntGaugeVec::new(Opts::new(full(&name), help), labels))
}

fn expiry(registry: &Registry) -> GaugeVec {
    let help = "When a certificate expires, in seconds since 1970";
    let options = Opts::new(full("certificate_expiry_seconds"), help);
    kept(
        registry,
        GaugeVec::new(options, &["namespace", "cluster", "certificate"]),
    )
}

fn counter(registry: &Registry, name: &str, help: &str, label: &str) -> IntCounterVec {
    kept(registry, IntCounterVec::new(Opts::new(full(name), help), &[label]))
}

fn duration(registry: &Registry) -> HistogramVec {
    let options = HistogramOpts::new(full("reconcile_duration_seconds"), "How long a look at a cluster takes");
    kept(
        registry,
        HistogramVec::new(options.buckets(BUCKETS.to_vec()), &["outcome"]),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::cluster;

    fn with_status(status: serde_json::Value) -> EtcdCluster {
        let mut cluster = cluster();
        cluster.status = serde_json::from_value(status).unwrap();
        cluster
    }

    #[test]
    fn a_cluster_is_shown_as_it_is_and_goes_without_a_trace() {
        let metrics = Metrics::default();
        let condition = json!({"type": "Available", "status": "True", "reason": "x", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z"});
        let before = json!({"replicas": 3, "readyReplicas": 2, "leader": "a-0", "phase": "Running",
            "certificates": [{"name": "server", "notAfter": "1970-01-02T00:00:00Z"}], "conditions": [condition]});
        metrics.show(&with_status(before));
        let text = metrics.text().unwrap();
        let lines = [
            r#"taffrail_operator_cluster_ready_members{cluster="a",namespace="ns"} 2"#,
            r#"taffrail_operator_cluster_has_quorum{cluster="a",namespace="ns"} 1"#,
            r#"taffrail_operator_cluster_leader{cluster="a",member="a-0",namespace="ns"} 1"#,
            r#"taffrail_operator_cluster_condition{cluster="a",condition="Available",namespace="ns"} 1"#,
            r#"taffrail_operator_certificate_expiry_seconds{certificate="server",cluster="a",namespace="ns"} 86400"#,
        ];
        for line in lines {
            assert!(text.contains(line), "{line} in\n{text}");
        }
        metrics.show(&with_status(json!({"leader": "a-1", "phase": "Running"})));
        let text = metrics.text().unwrap();
        assert!(text.contains("a-1") && !text.contains("a-0"), "one leader at a time");
        metrics.forget("ns", "a");
        assert!(!metrics.text().unwrap().contains(r#"cluster="a""#));
    }

    #[test]
    fn what_was_done_and_what_failed_is_counted() {
        let metrics = Metrics::default();
        metrics.looked(Duration::from_millis(30), None);
        metrics.looked(Duration::from_millis(30), Some("etcd"));
        metrics.step("AddLearner");
        let text = metrics.text().unwrap();
        for line in [
            r#"taffrail_operator_reconcile_duration_seconds_bucket{outcome="ok",le="0.05"} 1"#,
            r#"taffrail_operator_reconcile_failures_total{error="etcd"} 1"#,
            r#"taffrail_operator_steps_total{step="AddLearner"} 1"#,
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
