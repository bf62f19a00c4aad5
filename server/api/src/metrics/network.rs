//! What goes on between members (etcd rafthttp/metrics.go). Whoever runs the connections tells;
//! members are named by their id in hexadecimal.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};
use taffrail_member::Member;

use super::snapshots::Transfers;

/// Traffic with every other member.
pub struct Network {
    sent_bytes: IntCounterVec,
    received_bytes: IntCounterVec,
    send_failures: IntCounterVec,
    receive_failures: IntCounterVec,
    round_trip: HistogramVec,
    known: IntGaugeVec,
    active: IntGaugeVec,
    lost: IntCounterVec,
    sending: Transfers,
    receiving: Transfers,
    pub(super) late_heartbeats: AtomicU64,
    pub(super) installing: AtomicBool,
}

pub(super) fn hex(id: u64) -> String {
    format!("{id:x}")
}

impl Network {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name, help, label| counter(registry, name, help, &[label]);
        let ends = &["Local", "Remote"];
        Ok(Network {
            sent_bytes: counter(
                "peer_sent_bytes_total",
                "The total number of bytes sent to peers.",
                "To",
            )?,
            received_bytes: counter(
                "peer_received_bytes_total",
                "The total number of bytes received from peers.",
                "From",
            )?,
            send_failures: counter(
                "peer_sent_failures_total",
                "The total number of send failures to peers.",
                "To",
            )?,
            receive_failures: counter(
                "peer_received_failures_total",
                "The total number of receive failures from peers.",
                "From",
            )?,
            round_trip: histogram(
                registry,
                ("peer_round_trip_time_seconds", "Round-trip times between members."),
                "To",
                (0.0001, 16),
            )?,
            known: gauge(registry, "known_peers", "The current number of known peers.", ends)?,
            active: gauge(
                registry,
                "active_peers",
                "The current number of active peer connections.",
                ends,
            )?,
            lost: self::counter(
                registry,
                "disconnected_peers_total",
                "The total number of disconnected peers.",
                ends,
            )?,
            sending: Transfers::new(registry, "snapshot_send", "To")?,
            receiving: Transfers::new(registry, "snapshot_receive", "From")?,
            late_heartbeats: AtomicU64::new(0),
            installing: AtomicBool::new(false),
        })
    }

    pub fn sent(&self, to: u64, bytes: u64) {
        self.sent_bytes.with_label_values(&[hex(to)]).inc_by(bytes);
    }

    pub fn received(&self, from: u64, bytes: u64) {
        self.received_bytes.with_label_values(&[hex(from)]).inc_by(bytes);
    }

    pub fn send_failed(&self, to: u64) {
        self.send_failures.with_label_values(&[hex(to)]).inc();
    }

    pub fn receive_failed(&self, from: u64) {
        self.receive_failures.with_label_values(&[hex(from)]).inc();
    }

    pub fn round_trip(&self, to: u64, took: Duration) {
        self.round_trip
            .with_label_values(&[hex(to)])
            .observe(took.as_secs_f64());
    }

    /// A connection that was there is gone.
    pub fn lost(&self, own: u64, remote: u64) {
        self.lost.with_label_values(&[hex(own), hex(remote)]).inc();
    }

    /// A heartbeat left later than it should have: the disk or the processor is overloaded.
    pub fn heartbeat_late(&self) {
        self.late_heartbeats.fetch_add(1, Relaxed);
    }

    pub fn snapshot_send_begins(&self, to: u64) {
        self.sending.began(to);
    }

    pub fn snapshot_receive_begins(&self, from: u64) {
        self.receiving.began(from);
    }

    pub fn snapshot_sent(&self, to: u64, arrived: bool, took: Duration) {
        self.sending.ended(to, arrived, took);
    }

    pub fn snapshot_received(&self, from: u64, whole: bool, took: Duration) {
        self.receiving.ended(from, whole, took);
    }

    /// A received snapshot is being put in place of the store, or is done.
    pub fn snapshot_installing(&self, under_way: bool) {
        self.installing.store(under_way, Relaxed);
    }

    /// Every series of every member exists from the start, so that a rate of it does.
    pub(super) fn look_at(&self, member: &Member) {
        let own = member.config().member_id;
        let in_touch = member.in_touch();
        // Members that were removed are known no more.
        self.known.reset();
        self.active.reset();
        for id in member.members().into_iter().map(|member| member.id) {
            self.known.with_label_values(&[hex(own), hex(id)]).set(1);
            if id != own {
                self.touch(id);
                let ends = [hex(own), hex(id)];
                self.active
                    .with_label_values(&ends)
                    .set(i64::from(in_touch.contains_key(&id)));
                self.lost.with_label_values(&ends);
            }
        }
    }

    fn touch(&self, id: u64) {
        let id = [hex(id)];
        for counter in [
            &self.sent_bytes,
            &self.received_bytes,
            &self.send_failures,
            &self.receive_failures,
        ] {
            counter.with_label_values(&id);
        }
        self.round_trip.with_label_values(&id);
        self.sending.touch(&id);
        self.receiving.touch(&id);
    }
}

pub(super) fn counter(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> prometheus::Result<IntCounterVec> {
    let counter = IntCounterVec::new(Opts::new(format!("etcd_network_{name}"), help), labels)?;
    registry.register(Box::new(counter.clone()))?;
    Ok(counter)
}

pub(super) fn gauge(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
    let gauge = IntGaugeVec::new(Opts::new(format!("etcd_network_{name}"), help), labels)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}

/// `buckets`: where they start, growing by two, and how many.
pub(super) fn histogram(
    registry: &Registry,
    (name, help): (&str, &str),
    label: &str,
    buckets: (f64, usize),
) -> prometheus::Result<HistogramVec> {
    let buckets = prometheus::exponential_buckets(buckets.0, 2.0, buckets.1)?;
    let opts = HistogramOpts::new(format!("etcd_network_{name}"), help).buckets(buckets);
    let histogram = HistogramVec::new(opts, &[label])?;
    registry.register(Box::new(histogram.clone()))?;
    Ok(histogram)
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;

    use super::*;

    fn rendered(registry: &Registry) -> String {
        TextEncoder::new().encode_to_string(&registry.gather()).expect("text")
    }

    #[test]
    fn every_series_of_a_member_is_there_before_anything_happens() {
        let registry = Registry::new();
        let network = Network::new(&registry).expect("no name twice");
        network.touch(0xabc);
        let text = rendered(&registry);
        for series in [
            "etcd_network_peer_sent_bytes_total{To=\"abc\"} 0",
            "etcd_network_peer_received_bytes_total{From=\"abc\"} 0",
            "etcd_network_peer_sent_failures_total{To=\"abc\"} 0",
            "etcd_network_peer_received_failures_total{From=\"abc\"} 0",
            "etcd_network_peer_round_trip_time_seconds_count{To=\"abc\"} 0",
            "etcd_network_snapshot_send_success{To=\"abc\"} 0",
            "etcd_network_snapshot_send_failures{To=\"abc\"} 0",
            "etcd_network_snapshot_send_inflights_total{To=\"abc\"} 0",
            "etcd_network_snapshot_receive_success{From=\"abc\"} 0",
            "etcd_network_snapshot_receive_total_duration_seconds_count{From=\"abc\"} 0",
        ] {
            assert!(text.contains(series), "{series} is not in\n{text}");
        }
    }
}
