//! Plain numbers of the member under etcd's names.

use std::sync::atomic::Ordering::Relaxed;

use taffrail_member::{Member, Status};

use super::Metrics;
use super::process::Process;

/// Name, type, value; the help text is the name's own words.
pub(super) type Row = (&'static str, &'static str, f64);

const COUNTER: &str = "counter";
const GAUGE: &str = "gauge";

/// Counts of parts of etcd that do not exist here, so that nothing happens in them: the v2 store, the proxy that
/// etcd's server counts for without being one.
const NEVER: [(&str, &str); 8] = [
    ("etcd_debugging_store_expires_total", COUNTER),
    ("etcd_debugging_store_watch_requests_total", COUNTER),
    ("etcd_debugging_store_watchers", GAUGE),
    ("etcd_grpc_proxy_cache_hits_total", GAUGE),
    ("etcd_grpc_proxy_cache_keys_total", GAUGE),
    ("etcd_grpc_proxy_cache_misses_total", GAUGE),
    ("etcd_grpc_proxy_events_coalescing_total", COUNTER),
    ("etcd_grpc_proxy_watchers_coalescing_total", GAUGE),
];

pub(super) fn rows(metrics: &Metrics, member: &Member) -> Vec<Row> {
    // Asked once: it looks at the disk.
    let status = member.status();
    let mut rows = server(metrics, member, &status);
    rows.extend(store(metrics, member, &status));
    rows.extend(watch_and_lease(member));
    rows.extend(process(metrics));
    rows.extend(NEVER.map(|(name, kind)| (name, kind, 0.0)));
    rows
}

fn server(metrics: &Metrics, member: &Member, status: &Status) -> Vec<Row> {
    let proposals = member.proposals();
    let counters = member.counters();
    let quota_bytes = member.config().quota_bytes.map_or(-1.0, |bytes| bytes as f64);
    vec![
        ("etcd_server_has_leader", GAUGE, flag(status.leader.is_some())),
        ("etcd_server_is_leader", GAUGE, flag(member.is_leader())),
        ("etcd_server_is_learner", GAUGE, flag(status.is_learner)),
        (
            "etcd_server_leader_changes_seen_total",
            COUNTER,
            metrics.leader_changes.load(Relaxed) as f64,
        ),
        (
            "etcd_server_heartbeat_send_failures_total",
            COUNTER,
            metrics.network.late_heartbeats.load(Relaxed) as f64,
        ),
        (
            "etcd_server_slow_apply_total",
            COUNTER,
            counters.slow_applies.get() as f64,
        ),
        (
            "etcd_server_slow_read_indexes_total",
            COUNTER,
            counters.read_barriers_slow.get() as f64,
        ),
        (
            "etcd_server_read_indexes_failed_total",
            COUNTER,
            counters.read_barriers_failed.get() as f64,
        ),
        (
            "etcd_server_snapshot_apply_in_progress_total",
            GAUGE,
            flag(metrics.network.installing.load(Relaxed)),
        ),
        (
            "etcd_server_proposals_committed_total",
            GAUGE,
            status.progress.committed_index as f64,
        ),
        (
            "etcd_server_proposals_applied_total",
            GAUGE,
            status.progress.applied_index as f64,
        ),
        ("etcd_server_proposals_pending", GAUGE, proposals.pending as f64),
        ("etcd_server_proposals_failed_total", COUNTER, proposals.failed as f64),
        (
            "etcd_server_learner_promote_successes",
            COUNTER,
            counters.learners_promoted.get() as f64,
        ),
        ("etcd_server_quota_backend_bytes", GAUGE, quota_bytes),
        (
            "etcd_server_health_success",
            COUNTER,
            metrics.health.success.load(Relaxed) as f64,
        ),
        (
            "etcd_server_health_failures",
            COUNTER,
            metrics.health.failures.load(Relaxed) as f64,
        ),
        (
            "etcd_debugging_server_lease_expired_total",
            COUNTER,
            counters.leases_expired.get() as f64,
        ),
        (
            "etcd_debugging_auth_revision",
            GAUGE,
            member.view().auth().revision() as f64,
        ),
    ]
}

fn store(metrics: &Metrics, member: &Member, status: &Status) -> Vec<Row> {
    let counters = member.counters();
    vec![
        ("etcd_mvcc_range_total", COUNTER, counters.ranges.get() as f64),
        ("etcd_mvcc_put_total", COUNTER, counters.puts.get() as f64),
        ("etcd_mvcc_delete_total", COUNTER, counters.deletes.get() as f64),
        ("etcd_mvcc_txn_total", COUNTER, counters.txns.get() as f64),
        (
            "etcd_mvcc_db_total_size_in_bytes",
            GAUGE,
            status.sizes.total_bytes as f64,
        ),
        (
            "etcd_mvcc_db_total_size_in_use_in_bytes",
            GAUGE,
            status.sizes.in_use_bytes as f64,
        ),
        (
            "taffrail_store_disk_size_in_bytes",
            GAUGE,
            status.sizes.disk_bytes as f64,
        ),
        (
            "etcd_mvcc_db_open_read_transactions",
            GAUGE,
            counters.long_reads.get() as f64,
        ),
        (
            "etcd_disk_wal_write_bytes_total",
            GAUGE,
            metrics.disk.wal_write_bytes.load(Relaxed) as f64,
        ),
        ("etcd_disk_defrag_inflight", GAUGE, counters.defragmenting.get() as f64),
        ("etcd_debugging_mvcc_current_revision", GAUGE, status.revision as f64),
        (
            "etcd_debugging_mvcc_compact_revision",
            GAUGE,
            status.compact_revision as f64,
        ),
        (
            "etcd_debugging_mvcc_db_compaction_last",
            GAUGE,
            counters.last_compaction_s.get() as f64,
        ),
        ("etcd_debugging_mvcc_keys_total", GAUGE, status.sizes.keys as f64),
        (
            "etcd_debugging_mvcc_events_total",
            COUNTER,
            counters.events.get() as f64,
        ),
        (
            "etcd_debugging_mvcc_total_put_size_in_bytes",
            GAUGE,
            counters.put_bytes.get() as f64,
        ),
        (
            "etcd_network_client_grpc_received_bytes_total",
            COUNTER,
            metrics.client_received_bytes.load(Relaxed) as f64,
        ),
        (
            "etcd_network_client_grpc_sent_bytes_total",
            COUNTER,
            metrics.client_sent_bytes.load(Relaxed) as f64,
        ),
    ]
}

fn watch_and_lease(member: &Member) -> Vec<Row> {
    let counters = member.counters();
    vec![
        (
            "etcd_debugging_mvcc_watcher_total",
            GAUGE,
            counters.watchers.get() as f64,
        ),
        (
            "etcd_debugging_mvcc_watch_stream_total",
            GAUGE,
            counters.watch_streams.get() as f64,
        ),
        (
            "etcd_debugging_mvcc_slow_watcher_total",
            GAUGE,
            counters.watchers_behind.get() as f64,
        ),
        (
            "etcd_debugging_mvcc_pending_events_total",
            GAUGE,
            counters.events_pending.get() as f64,
        ),
        (
            "etcd_debugging_lease_granted_total",
            COUNTER,
            counters.leases_granted.get() as f64,
        ),
        (
            "etcd_debugging_lease_revoked_total",
            COUNTER,
            counters.leases_revoked.get() as f64,
        ),
        (
            "etcd_debugging_lease_renewed_total",
            COUNTER,
            counters.leases_renewed.get() as f64,
        ),
    ]
}

fn process(metrics: &Metrics) -> Vec<Row> {
    let process = Process::read();
    vec![
        ("process_cpu_seconds_total", COUNTER, process.cpu_s),
        ("process_resident_memory_bytes", GAUGE, process.resident_bytes),
        ("process_virtual_memory_bytes", GAUGE, process.virtual_bytes),
        ("process_virtual_memory_max_bytes", GAUGE, process.virtual_max_bytes),
        ("process_network_receive_bytes_total", COUNTER, process.received_bytes),
        ("process_network_transmit_bytes_total", COUNTER, process.sent_bytes),
        ("go_threads", GAUGE, process.threads),
        ("process_open_fds", GAUGE, process.open_fds),
        ("process_max_fds", GAUGE, process.max_fds),
        ("process_start_time_seconds", GAUGE, metrics.started_at_s.get()),
        ("os_fd_used", GAUGE, process.open_fds),
        ("os_fd_limit", GAUGE, process.max_fds),
    ]
}

fn flag(on: bool) -> f64 {
    f64::from(u8::from(on))
}
