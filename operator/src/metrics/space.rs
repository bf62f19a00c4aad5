//! Space, by cluster.

use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

use super::{CLUSTER, kept};

pub(super) struct Space {
    nospace: IntGaugeVec,
    defragmentations: IntCounterVec,
    reclaimed: IntCounterVec,
}

const OUTCOMES: [&str; 2] = ["succeeded", "failed"];

impl Space {
    pub fn new(registry: &Registry) -> Self {
        let of = |name: &str, help: &str| Opts::new(format!("taffrail_{name}"), help);
        let nospace = of(
            "cluster_nospace",
            "1 if a member has reached its quota: nothing can be written",
        );
        let count = of(
            "defragmentations_total",
            "EtcdDefragmentations that came to an end, by which",
        );
        let reclaimed = of(
            "defragmentation_reclaimed_bytes_total",
            "Bytes that members gave back to their disks",
        );
        Self {
            nospace: kept(registry, IntGaugeVec::new(nospace, &CLUSTER)),
            defragmentations: kept(
                registry,
                IntCounterVec::new(count, &["namespace", "cluster", "outcome"]),
            ),
            reclaimed: kept(registry, IntCounterVec::new(reclaimed, &CLUSTER)),
        }
    }

    pub fn show(&self, namespace: &str, cluster: &str, nospace: bool) {
        self.nospace
            .with_label_values(&[namespace, cluster])
            .set(nospace.into());
    }

    pub fn defragmented(&self, namespace: &str, cluster: &str, succeeded: bool) {
        let outcome = OUTCOMES[usize::from(!succeeded)];
        self.defragmentations
            .with_label_values(&[namespace, cluster, outcome])
            .inc();
    }

    pub fn reclaimed(&self, namespace: &str, cluster: &str, bytes: i64) {
        let bytes = u64::try_from(bytes).unwrap_or(0);
        self.reclaimed.with_label_values(&[namespace, cluster]).inc_by(bytes);
    }

    /// They may never have been there.
    pub fn forget(&self, namespace: &str, cluster: &str) {
        let _ = self.nospace.remove_label_values(&[namespace, cluster]);
        let _ = self.reclaimed.remove_label_values(&[namespace, cluster]);
        for outcome in OUTCOMES {
            let _ = self
                .defragmentations
                .remove_label_values(&[namespace, cluster, outcome]);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::Metrics;

    #[test]
    fn what_was_given_back_is_counted_and_goes_without_a_trace() {
        let metrics = Metrics::default();
        metrics.show(&crate::testing::cluster());
        metrics.reclaimed("ns", "a", 4096);
        metrics.reclaimed("ns", "a", -1);
        metrics.defragmented("ns", "a", true);
        let text = metrics.text().unwrap();
        for line in [
            r#"taffrail_cluster_nospace{cluster="a",namespace="ns"} 0"#,
            r#"taffrail_defragmentation_reclaimed_bytes_total{cluster="a",namespace="ns"} 4096"#,
            r#"taffrail_defragmentations_total{cluster="a",namespace="ns",outcome="succeeded"} 1"#,
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
        metrics.forget("ns", "a");
        assert!(!metrics.text().unwrap().contains(r#"cluster="a""#));
    }
}
