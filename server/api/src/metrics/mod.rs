//! What Prometheus sees. Names, labels and buckets are etcd's, because dashboards and alerts are written for them.

mod distributions;
pub(crate) mod grpc;
mod network;
mod process;
mod render;
mod snapshots;

mod table;

use std::sync::atomic::AtomicU64;

pub use network::Network;
pub(crate) use process::Process;
pub(crate) use render::CONTENT_TYPE;
pub use snapshots::Snap;

use prometheus::{Gauge, Histogram, HistogramOpts, IntCounterVec, IntGaugeVec, Opts, Registry};

/// Everything that is measured outside the member's own counters.
pub struct Metrics {
    registry: Registry,
    pub(crate) grpc: grpc::GrpcMetrics,
    /// Times of the raft log and the store; whoever runs them observes.
    pub disk: Disk,
    pub network: Network,
    pub snap: Snap,
    pub(crate) health: Health,
    pub(crate) pages: Pages,
    pub client_received_bytes: AtomicU64,
    pub client_sent_bytes: AtomicU64,
    pub leader_changes: AtomicU64,
    started_at_s: Gauge,
}

/// How long the disk takes, in seconds.
pub struct Disk {
    pub wal_fsync: Histogram,
    pub wal_write: Histogram,
    pub wal_write_bytes: AtomicU64,
    pub backend_commit: Histogram,
    pub backend_snapshot: Histogram,
}

/// Pages of metrics that were asked for.
#[derive(Default)]
pub(crate) struct Pages {
    pub under_way: AtomicU64,
    pub answered: AtomicU64,
}

pub(crate) struct Health {
    pub success: AtomicU64,
    pub failures: AtomicU64,
    pub check: IntGaugeVec,
    pub checks: IntCounterVec,
}

impl Metrics {
    /// # Errors
    /// Only if two metrics had the same name.
    pub fn new(extensive: bool) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let started_at_s = Gauge::with_opts(Opts::new(
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
        ))?;
        Ok(Metrics {
            grpc: grpc::GrpcMetrics::new(&registry, extensive)?,
            disk: Disk::new(&registry)?,
            network: Network::new(&registry)?,
            snap: Snap::new(&registry)?,
            health: Health::new(&registry)?,
            pages: Pages::default(),
            client_received_bytes: AtomicU64::new(0),
            client_sent_bytes: AtomicU64::new(0),
            leader_changes: AtomicU64::new(0),
            started_at_s,
            registry,
        })
    }

    /// `started_at_s` is unix time.
    pub fn set_started(&self, started_at_s: f64) {
        self.started_at_s.set(started_at_s);
    }
}

/// Buckets that start at `start` and grow by `factor` (prometheus.ExponentialBuckets).
fn histogram(registry: &Registry, name: &str, help: &str, start: f64, count: usize) -> prometheus::Result<Histogram> {
    let buckets = prometheus::exponential_buckets(start, 2.0, count)?;
    let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))?;
    registry.register(Box::new(histogram.clone()))?;
    Ok(histogram)
}

impl Disk {
    fn new(registry: &Registry) -> prometheus::Result<Self> {
        let new = |name: &str, help: &str, start, count| histogram(registry, name, help, start, count);
        Ok(Disk {
            wal_fsync: new(
                "etcd_disk_wal_fsync_duration_seconds",
                "Latency of fsync of the log.",
                0.001,
                14,
            )?,
            wal_write: new(
                "etcd_disk_wal_write_duration_seconds",
                "Latency of writes to the log.",
                0.001,
                14,
            )?,
            wal_write_bytes: AtomicU64::new(0),
            backend_commit: new(
                "etcd_disk_backend_commit_duration_seconds",
                "Latency of applying a batch of entries to the store.",
                0.001,
                14,
            )?,
            backend_snapshot: new(
                "etcd_disk_backend_snapshot_duration_seconds",
                "Latency of making the store durable for a raft snapshot.",
                0.01,
                17,
            )?,
        })
    }
}

impl Health {
    fn new(registry: &Registry) -> prometheus::Result<Self> {
        let check = Opts::new("etcd_server_healthcheck", "The result of each kind of healthcheck.");
        let checks = Opts::new(
            "etcd_server_healthchecks_total",
            "The total number of each kind of healthcheck.",
        );
        let health = Health {
            success: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            check: IntGaugeVec::new(check, &["type", "name"])?,
            checks: IntCounterVec::new(checks, &["type", "name", "status"])?,
        };
        registry.register(Box::new(health.check.clone()))?;
        registry.register(Box::new(health.checks.clone()))?;
        Ok(health)
    }
}
