//! The member's own histograms under etcd's names.

use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

use taffrail_member::{Distribution, Histogram, Member, operations};

use super::Metrics;
use super::render::words;

/// bbolt's and the index's own pauses. Nothing here ever pauses so, hence nothing is ever observed.
const NEVER: [(&str, f64, usize); 4] = [
    (
        "etcd_debugging_disk_backend_commit_rebalance_duration_seconds",
        0.001,
        14,
    ),
    ("etcd_debugging_disk_backend_commit_spill_duration_seconds", 0.001, 14),
    ("etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds", 1.0, 13),
    (
        "etcd_debugging_mvcc_index_compaction_pause_duration_milliseconds",
        0.5,
        14,
    ),
];

pub(super) fn render(metrics: &Metrics, member: &Member, text: &mut String) {
    let counters = member.counters();
    let upkeep = &counters.upkeep;
    for (name, histogram) in [
        (
            "etcd_debugging_disk_backend_commit_write_duration_seconds",
            &upkeep.commit_s,
        ),
        ("etcd_debugging_lease_ttl_total", &counters.lease_ttls.0),
        (
            "etcd_debugging_mvcc_db_compaction_total_duration_milliseconds",
            &upkeep.compaction_ms,
        ),
        ("etcd_disk_backend_defrag_duration_seconds", &upkeep.defrag_s),
        ("etcd_mvcc_hash_duration_seconds", &upkeep.hash_s),
        ("etcd_mvcc_hash_rev_duration_seconds", &upkeep.hash_kv_s),
    ] {
        plain(text, name, histogram);
    }
    for (name, first_bound, bounds) in NEVER {
        plain(text, name, &Histogram::new(first_bound, bounds));
    }
    applies(member, text);
    ranges(member, text);
    scrapes(metrics, text);
}

fn plain(text: &mut String, name: &str, histogram: &Histogram) {
    head(text, name, "histogram");
    series(text, name, "", &histogram.get());
}

fn applies(member: &Member, text: &mut String) {
    let name = "etcd_server_apply_duration_seconds";
    head(text, name, "histogram");
    for (operation, times) in operations().zip(&member.counters().applies.0) {
        for (success, histogram) in [(false, &times.failure), (true, &times.success)] {
            let labels = format!("op=\"{operation}\",success=\"{success}\",version=\"v3\"");
            occurred(text, name, &labels, histogram);
        }
    }
}

fn ranges(member: &Member, text: &mut String) {
    let name = "etcd_server_range_duration_seconds";
    let times = &member.counters().range_times;
    head(text, name, "histogram");
    for (success, histogram) in [(false, &times.failure), (true, &times.success)] {
        occurred(text, name, &format!("success=\"{success}\""), histogram);
    }
}

/// As etcd does, a series begins with its first value.
fn occurred(text: &mut String, name: &str, labels: &str, histogram: &Histogram) {
    let distribution = histogram.get();
    if distribution.count > 0 {
        series(text, name, labels, &distribution);
    }
}

/// A page that is rendered is under way, and never fails.
fn scrapes(metrics: &Metrics, text: &mut String) {
    let name = "promhttp_metric_handler_requests_in_flight";
    head(text, name, "gauge");
    let _ = writeln!(text, "{name} {}", metrics.pages.under_way.load(Relaxed));
    let name = "promhttp_metric_handler_requests_total";
    head(text, name, "counter");
    for (code, count) in [(200, metrics.pages.answered.load(Relaxed)), (500, 0), (503, 0)] {
        let _ = writeln!(text, "{name}{{code=\"{code}\"}} {count}");
    }
}

pub(super) fn head(text: &mut String, name: &str, kind: &str) {
    // Writing into a string cannot fail.
    let _ = write!(text, "# HELP {name} {}\n# TYPE {name} {kind}\n", words(name));
}

fn series(text: &mut String, name: &str, labels: &str, distribution: &Distribution) {
    let Distribution { buckets, count, sum } = distribution;
    let comma = if labels.is_empty() { "" } else { "," };
    for (bound, below) in buckets {
        let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"{}\"}} {below}", go(*bound));
    }
    let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {count}");
    let labels = if labels.is_empty() {
        String::new()
    } else {
        format!("{{{labels}}}")
    };
    let _ = writeln!(text, "{name}_sum{labels} {sum}\n{name}_count{labels} {count}");
}

/// A bound as Go writes it, because it is part of a label: with an exponent from a million on.
fn go(bound: f64) -> String {
    let plain = bound.to_string();
    if bound < 1e6 {
        return plain;
    }
    let scientific = format!("{bound:e}");
    match scientific.split_once('e') {
        Some((mantissa, exponent)) => format!("{mantissa}e+{exponent:0>2}"),
        None => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_written_as_go_writes_them() {
        assert_eq!(go(0.0001), "0.0001");
        assert_eq!(go(655.36), "655.36");
        assert_eq!(go(524_288.0), "524288");
        assert_eq!(go(1_048_576.0), "1.048576e+06");
    }

    #[test]
    fn a_histogram_is_written_with_all_its_buckets() {
        let histogram = Histogram::new(1.0, 2);
        histogram.observe(1.5);
        let mut text = String::new();
        series(&mut text, "h", "a=\"b\"", &histogram.get());
        assert_eq!(
            text,
            "h_bucket{a=\"b\",le=\"1\"} 0\nh_bucket{a=\"b\",le=\"2\"} 1\nh_bucket{a=\"b\",le=\"+Inf\"} 1\n\
             h_sum{a=\"b\"} 1.5\nh_count{a=\"b\"} 1\n"
        );
    }
}
