//! Raft snapshots between members and on their way to the disk (etcd rafthttp/metrics.go, snap/metrics.go).

use std::time::Duration;

use prometheus::{Histogram, HistogramVec, IntCounterVec, IntGaugeVec, Registry};

use super::network::{counter, gauge, hex, histogram};

/// Raft snapshots on their way in one direction.
pub(super) struct Transfers {
    success: IntCounterVec,
    failures: IntCounterVec,
    inflight: IntGaugeVec,
    took: HistogramVec,
}

impl Transfers {
    pub fn new(registry: &Registry, name: &str, label: &str) -> prometheus::Result<Self> {
        let labels = &[label];
        let of = |what: &str| format!("{name}_{what}");
        Ok(Transfers {
            success: counter(
                registry,
                &of("success"),
                "Total number of successful snapshot transfers.",
                labels,
            )?,
            failures: counter(
                registry,
                &of("failures"),
                "Total number of failed snapshot transfers.",
                labels,
            )?,
            inflight: gauge(
                registry,
                &of("inflights_total"),
                "Total number of snapshot transfers under way.",
                labels,
            )?,
            took: histogram(
                registry,
                (&of("total_duration_seconds"), "Times of whole snapshot transfers."),
                label,
                (0.1, 10),
            )?,
        })
    }

    pub fn touch(&self, id: &[String; 1]) {
        self.success.with_label_values(id);
        self.failures.with_label_values(id);
        self.inflight.with_label_values(id);
        self.took.with_label_values(id);
    }

    pub fn began(&self, id: u64) {
        self.inflight.with_label_values(&[hex(id)]).inc();
    }

    pub fn ended(&self, id: u64, arrived: bool, took: Duration) {
        let id = [hex(id)];
        self.inflight.with_label_values(&id).dec();
        let outcome = if arrived { &self.success } else { &self.failures };
        outcome.with_label_values(&id).inc();
        if arrived {
            self.took.with_label_values(&id).observe(took.as_secs_f64());
        }
    }
}

/// Raft snapshots on their way to the disk.
pub struct Snap {
    pub fsync: Histogram,
    pub db_fsync: Histogram,
    pub db_save: Histogram,
    pub save: Histogram,
    pub marshalling: Histogram,
}

impl Snap {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let new = |name: &str, help: &str, start, count| super::histogram(registry, name, help, start, count);
        Ok(Snap {
            fsync: new(
                "etcd_snap_fsync_duration_seconds",
                "Latency of making a raft snapshot durable.",
                0.001,
                14,
            )?,
            db_fsync: new(
                "etcd_snap_db_fsync_duration_seconds",
                "Latency of making a received snapshot durable.",
                0.001,
                14,
            )?,
            db_save: new(
                "etcd_snap_db_save_total_duration_seconds",
                "Latency of saving a received snapshot.",
                0.1,
                10,
            )?,
            save: new(
                "etcd_debugging_snap_save_total_duration_seconds",
                "Latency of saving a raft snapshot.",
                0.001,
                14,
            )?,
            marshalling: new(
                "etcd_debugging_snap_save_marshalling_duration_seconds",
                "Latency of encoding a raft snapshot; nothing is encoded here.",
                0.001,
                14,
            )?,
        })
    }
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;

    use super::*;

    #[test]
    fn a_transfer_arrives_or_fails() {
        let registry = Registry::new();
        let sending = Transfers::new(&registry, "snapshot_send", "To").expect("no name twice");
        let text = || TextEncoder::new().encode_to_string(&registry.gather()).expect("text");
        sending.ended(1, true, Duration::from_secs(1));
        assert!(text().contains("etcd_network_snapshot_send_success{To=\"1\"} 1"));
        assert!(text().contains("etcd_network_snapshot_send_total_duration_seconds_sum{To=\"1\"} 1"));
        sending.ended(1, false, Duration::from_secs(1));
        assert!(text().contains("etcd_network_snapshot_send_failures{To=\"1\"} 1"));
    }
}
