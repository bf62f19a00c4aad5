//! What the proxy counts (etcd proxy/grpcproxy/metrics.go).

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

#[derive(Default)]
pub struct Counts {
    /// Watchers that need no upstream watcher of their own.
    pub watchers_coalescing: AtomicU64,
    /// Responses that went to more than one watcher, once for each further one.
    pub events_coalescing: AtomicU64,
    pub requests: AtomicU64,
}

impl Counts {
    /// In Prometheus' text format. There is no cache here, so that what counts it stays at nothing.
    pub fn page(&self) -> String {
        let rows = [
            (
                "etcd_grpc_proxy_watchers_coalescing_total",
                "gauge",
                "Current watchers without an upstream watcher of their own.",
                &self.watchers_coalescing,
            ),
            (
                "etcd_grpc_proxy_events_coalescing_total",
                "counter",
                "Watch responses that were shared.",
                &self.events_coalescing,
            ),
            (
                "etcd_grpc_proxy_cache_keys_total",
                "gauge",
                "Ranges in the cache.",
                &AtomicU64::new(0),
            ),
            (
                "etcd_grpc_proxy_cache_hits_total",
                "gauge",
                "Ranges answered from the cache.",
                &AtomicU64::new(0),
            ),
            (
                "etcd_grpc_proxy_cache_misses_total",
                "gauge",
                "Ranges not answered from the cache.",
                &AtomicU64::new(0),
            ),
            (
                "taffrail_grpc_proxy_requests_total",
                "counter",
                "Calls that came in.",
                &self.requests,
            ),
        ];
        rows.iter().fold(String::new(), |mut page, (name, kind, help, value)| {
            let value = value.load(Relaxed);
            // Writing to a string does not fail.
            let _ = write!(page, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n");
            page
        })
    }
}
