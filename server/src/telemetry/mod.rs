//! What the process says about itself: log lines, disk times, readiness.

mod backups;
mod journal;
mod lines;
mod outputs;
mod rotate;

use std::os::unix::net::UnixDatagram;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use taffrail_api::Metrics;
use taffrail_consensus::Recorder;
use taffrail_member::Member;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

use crate::args::Settings;
use lines::{Form, Lines};
use outputs::Outputs;

/// Starts the log as the flags want it.
///
/// # Errors
/// Unknown level, format or output.
pub fn start_log(settings: &Settings) -> Result<()> {
    let form = match settings.get("log-format") {
        "json" => Form::Json,
        "console" => Form::Console,
        other => bail!("--log-format={other} is neither json nor console"),
    };
    let level = level(settings.get("log-level"))?;
    // The consensus library tells every step; only its warnings are ours, unless somebody debugs.
    // Losing a peer is an error to openraft and everyday life to a cluster; what matters of it is said by us.
    let steps = if level > LevelFilter::INFO {
        level
    } else {
        LevelFilter::OFF
    };
    let targets = Targets::new().with_default(level).with_target("openraft", steps);
    let lines = tracing_subscriber::fmt::layer().event_format(Lines(form));
    let lines = lines.with_writer(Outputs::new(settings)?);
    tracing_subscriber::registry().with(lines.with_filter(targets)).init();
    Ok(())
}

fn level(name: &str) -> Result<LevelFilter> {
    Ok(match name {
        "debug" => LevelFilter::DEBUG,
        "info" => LevelFilter::INFO,
        "warn" => LevelFilter::WARN,
        "error" | "dpanic" | "panic" | "fatal" => LevelFilter::ERROR,
        other => bail!("--log-level={other} is none of debug, info, warn, error, dpanic, panic, fatal"),
    })
}

/// The log of a proxy, which has no flags for it.
pub fn start_plain_log(debug: bool) {
    let level = if debug { LevelFilter::DEBUG } else { LevelFilter::INFO };
    let lines = tracing_subscriber::fmt::layer().event_format(Lines(Form::Json));
    let lines = lines.with_writer(std::io::stderr);
    tracing_subscriber::registry().with(lines.with_filter(level)).init();
}

/// How a process with a log of its own ends.
pub fn ended(result: Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    last_words(&error);
    ExitCode::FAILURE
}

/// Why the process ends: to the log, and in plain words for whoever started it by hand.
pub fn last_words(error: &anyhow::Error) {
    tracing::error!(error = format!("{error:#}"), "cannot go on");
    eprintln!("taffrail: {error:#}");
}

/// Tells the log's reader and systemd that clients may come (sd_notify(3)).
pub fn ready() {
    tracing::info!("ready to serve client requests");
    tell_systemd();
}

/// That whatever this process serves is served.
pub fn tell_systemd() {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let told = UnixDatagram::unbound().and_then(|socket| socket.send_to(b"READY=1", path));
    if let Err(error) = told {
        tracing::warn!(%error, "cannot tell systemd that the member is ready");
    }
}

/// Counts the leaders that were seen.
pub fn watch_leadership(member: &Member, metrics: &Arc<Metrics>) {
    let (mut leadership, metrics) = (member.leadership(), Arc::clone(metrics));
    tokio::spawn(async move {
        let mut last = None;
        loop {
            let now = *leadership.borrow_and_update();
            if now.leader.is_some() && now.leader != last {
                tracing::info!(
                    leader = format!("{:x}", now.leader.unwrap_or(0)),
                    term = now.term,
                    "elected leader"
                );
                metrics.leader_changes.fetch_add(1, Relaxed);
                last = now.leader;
            }
            if leadership.changed().await.is_err() {
                return;
            }
        }
    });
}

/// Heartbeats leave when the runtime's timers fire. Where a timer is late by more than an interval while this member
/// leads, its heartbeats were late too: the disk or the processors are overloaded.
pub fn watch_heartbeats(member: &Member, metrics: &Arc<Metrics>, interval: Duration) {
    let (member, metrics) = (member.clone(), Arc::clone(metrics));
    tokio::spawn(async move {
        loop {
            let started = Instant::now();
            tokio::time::sleep(interval).await;
            if member.is_leader() && started.elapsed() > 2 * interval {
                metrics.network.heartbeat_late();
                tracing::warn!(
                    expected_duration = format!("{:?}", 2 * interval),
                    took = format!("{:?}", started.elapsed()),
                    "leader failed to send out heartbeat on time; took too long, leader is overloaded"
                );
            }
        }
    });
}

/// Puts the times of log and store into the metrics.
pub struct Observer {
    metrics: Arc<Metrics>,
    member_id: u64,
}

impl Observer {
    pub fn new(metrics: Arc<Metrics>, member_id: u64) -> Self {
        Observer { metrics, member_id }
    }
}

impl Recorder for Observer {
    fn fsync(&self, took: Duration) {
        self.metrics.disk.wal_fsync.observe(took.as_secs_f64());
    }

    fn write(&self, took: Duration, bytes: u64) {
        self.metrics.disk.wal_write.observe(took.as_secs_f64());
        self.metrics.disk.wal_write_bytes.fetch_add(bytes, Relaxed);
    }

    fn apply(&self, took: Duration, _entries: u64) {
        self.metrics.disk.backend_commit.observe(took.as_secs_f64());
    }

    fn snapshot(&self, took: Duration) {
        let took_s = took.as_secs_f64();
        self.metrics.disk.backend_snapshot.observe(took_s);
        self.metrics.snap.fsync.observe(took_s);
        self.metrics.snap.save.observe(took_s);
        tracing::info!(took = format!("{took:?}"), "saved snapshot");
    }

    fn peer_sent(&self, to: u64, bytes: u64) {
        self.metrics.network.sent(to, bytes);
    }

    fn peer_received(&self, from: u64, bytes: u64) {
        self.metrics.network.received(from, bytes);
    }

    fn peer_receive_failed(&self, from: u64) {
        self.metrics.network.receive_failed(from);
    }

    fn snapshot_durable(&self, took: Duration) {
        self.metrics.snap.db_fsync.observe(took.as_secs_f64());
    }

    fn peer_send_failed(&self, to: u64) {
        self.metrics.network.send_failed(to);
    }

    fn peer_round_trip(&self, to: u64, took: Duration) {
        self.metrics.network.round_trip(to, took);
    }

    fn peer_lost(&self, id: u64) {
        self.metrics.network.lost(self.member_id, id);
    }

    fn snapshot_send_begins(&self, to: u64) {
        self.metrics.network.snapshot_send_begins(to);
    }

    fn snapshot_receive_begins(&self, from: u64) {
        self.metrics.network.snapshot_receive_begins(from);
    }

    fn installing(&self, under_way: bool) {
        self.metrics.network.snapshot_installing(under_way);
    }

    fn snapshot_sent(&self, to: u64, arrived: bool, took: Duration) {
        self.metrics.network.snapshot_sent(to, arrived, took);
    }

    fn snapshot_received(&self, from: u64, whole: bool, took: Duration) {
        self.metrics.network.snapshot_received(from, whole, took);
        self.metrics.snap.db_save.observe(took.as_secs_f64());
    }
}
