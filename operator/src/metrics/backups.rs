//! Backups, by cluster.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

use super::{CLUSTER, kept};

/// What is shown of the backups of one cluster; what is not known is not shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackupFigures {
    /// Seconds since 1970.
    pub last_success: Option<i64>,
    pub last_verified: Option<i64>,
    /// Of the newest good one.
    pub last_size_bytes: Option<i64>,
    /// Seconds.
    pub duration: Option<i64>,
}

pub(super) struct Backups {
    success: IntGaugeVec,
    verified: IntGaugeVec,
    size: IntGaugeVec,
    duration: IntGaugeVec,
    failures: IntCounterVec,
    /// Labels of failures, so that they go with their cluster.
    reasons: Mutex<BTreeSet<[String; 3]>>,
}

impl Backups {
    pub fn new(registry: &Registry) -> Self {
        let gauge = |name: &str, help: &str| {
            let options = Opts::new(format!("taffrail_backup_{name}"), help);
            kept(registry, IntGaugeVec::new(options, &CLUSTER))
        };
        let failures = Opts::new(
            "taffrail_backup_failures_total",
            "Backups that came to a bad end, by the reason",
        );
        Self {
            success: gauge(
                "last_success_timestamp_seconds",
                "When the newest good backup was stored",
            ),
            verified: gauge(
                "last_verified_timestamp_seconds",
                "When a backup was last found to be good",
            ),
            size: gauge("last_size_bytes", "Bytes of the newest good backup in its store"),
            duration: gauge("duration_seconds", "How long the newest good backup took"),
            failures: kept(
                registry,
                IntCounterVec::new(failures, &["namespace", "cluster", "reason"]),
            ),
            reasons: Mutex::default(),
        }
    }

    pub fn show(&self, namespace: &str, cluster: &str, figures: &BackupFigures) {
        let values = [
            figures.last_success,
            figures.last_verified,
            figures.last_size_bytes,
            figures.duration,
        ];
        for (gauge, value) in self.gauges().into_iter().zip(values) {
            match value {
                Some(value) => gauge.with_label_values(&[namespace, cluster]).set(value),
                // It may never have been there.
                None => drop(gauge.remove_label_values(&[namespace, cluster])),
            }
        }
    }

    pub fn failed(&self, namespace: &str, cluster: &str, reason: &str) {
        self.failures.with_label_values(&[namespace, cluster, reason]).inc();
        let labels = [namespace, cluster, reason].map(String::from);
        self.reasons
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(labels);
    }

    pub fn forget(&self, namespace: &str, cluster: &str) {
        self.show(namespace, cluster, &BackupFigures::default());
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        reasons.retain(|labels| {
            let stays = (labels[0].as_str(), labels[1].as_str()) != (namespace, cluster);
            if !stays {
                let labels = labels.each_ref().map(String::as_str);
                let _ = self.failures.remove_label_values(&labels);
            }
            stays
        });
    }

    fn gauges(&self) -> [&IntGaugeVec; 4] {
        [&self.success, &self.verified, &self.size, &self.duration]
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::{BackupFigures, Metrics};

    #[test]
    fn backups_are_shown_as_they_are_and_go_without_a_trace() {
        let metrics = Metrics::default();
        let figures = BackupFigures {
            last_success: Some(1000),
            last_size_bytes: Some(7),
            ..BackupFigures::default()
        };
        metrics.show_backups("ns", "a", &figures);
        metrics.backup_failed("ns", "a", "NoSuchBucket");
        let text = metrics.text().unwrap();
        for line in [
            r#"taffrail_backup_last_success_timestamp_seconds{cluster="a",namespace="ns"} 1000"#,
            r#"taffrail_backup_last_size_bytes{cluster="a",namespace="ns"} 7"#,
            r#"taffrail_backup_failures_total{cluster="a",namespace="ns",reason="NoSuchBucket"} 1"#,
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
        assert!(
            !text.contains("last_verified_timestamp_seconds{"),
            "what is not known is not shown"
        );
        metrics.forget("ns", "a");
        assert!(!metrics.text().unwrap().contains(r#"cluster="a""#));
    }
}
