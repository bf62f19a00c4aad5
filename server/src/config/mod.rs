//! Settings -> Config, once. Below this nobody parses text or knows a default.

mod auth;
mod bootstrap;
mod discovery;
pub mod duration;
mod features;
mod http;
mod join;
mod listen;
mod place;
mod tls;
mod tracing;
mod url;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use taffrail_api::{Feature, HttpConfig, TracingConfig};
use taffrail_member::{AuthConfig, AutoCompaction, QUOTA_DEFAULT_BYTES};

pub use bootstrap::{Bootstrap, FirstMember, Seat};
pub use discovery::{Discovery, Founding, SrvDomain};
pub use features::Features;
pub use join::join;
pub use listen::{Listen, advertised};
pub use place::{Address, Place};
pub use tls::{Allowed, KeyPair, Offer, Security, TlsConfig, Version, pair, version as tls_version};
pub use url::Url;

use crate::args::Settings;

/// The etcd release whose behaviour is implemented.
pub const ETCD_VERSION: &str = "3.6.14";

#[derive(Debug, Clone)]
pub struct Config {
    pub name: String,
    pub data_dir: PathBuf,
    pub wal_dir: Option<PathBuf>,
    pub listen: Listen,
    pub tls: TlsConfig,
    pub bootstrap: Bootstrap,
    /// Where the first members are found, if the flags do not name them.
    pub founding: Founding,
    pub client_urls: Vec<String>,
    pub auth: AuthConfig,
    pub snapshot_count_entries: u64,
    pub snapshot_catchup_entries: u64,
    pub heartbeat_interval: Duration,
    pub election_timeout: Duration,
    pub quota_bytes: Option<u64>,
    pub txn_ops_max: usize,
    pub request_bytes_max: usize,
    pub connection_streams_max: u32,
    pub ping_interval: Option<Duration>,
    pub ping_timeout: Duration,
    pub auto_compaction: AutoCompaction,
    pub warning_apply_duration: Duration,
    /// Unary calls that take longer are worth a line.
    pub warning_unary_request_duration: Duration,
    pub watch_progress_interval: Duration,
    pub extensive_metrics: bool,
    pub unsafe_no_fsync: bool,
    pub reuse_port: bool,
    pub features: Features,
    /// Every gate, for whoever shows them.
    pub feature_table: Vec<Feature>,
    /// Membership changes that would cost the quorum are refused.
    pub strict_reconfig_check: bool,
    pub learners_max: usize,
    /// Makes a cluster of one out of what is left.
    pub force_new_cluster: bool,
    pub pre_vote: bool,
    /// Elect faster after boot.
    pub initial_election_tick_advance: bool,
    /// None is never.
    pub corrupt_check_interval: Option<Duration>,
    pub compact_hash_check_interval: Duration,
    /// None is never.
    pub downgrade_check_interval: Option<Duration>,
    /// What plain HTTP may ask for.
    pub http: HttpConfig,
    /// Keep a sample of allocations, for a profile of the heap.
    pub watch_allocations: bool,
    /// Where traces go; none is nowhere.
    pub tracing: Option<TracingConfig>,
    /// The etcd version that is spoken.
    pub version: String,
}

/// etcd does not go below this (server WatchProgressNotifyInterval).
const WATCH_PROGRESS_INTERVAL_MIN: Duration = Duration::from_millis(100);
const ELECTION_TIMEOUT_MAX: Duration = Duration::from_millis(50_000);

impl Config {
    /// # Errors
    /// The first setting that cannot be, named as its flag.
    pub fn new(settings: &Settings, version: Option<String>) -> Result<Config> {
        let name = settings.get("name").to_owned();
        let data_dir = settings.get("data-dir");
        let data_dir = if data_dir.is_empty() {
            format!("{name}.etcd")
        } else {
            data_dir.to_owned()
        };
        let wal_dir = settings.get("wal-dir");
        let (heartbeat_interval, election_timeout) = election(settings)?;
        ensure!(
            !settings.is_given("listen-client-urls") || settings.is_given("advertise-client-urls"),
            "--advertise-client-urls is required when --listen-client-urls is set explicitly"
        );
        let tls = TlsConfig::new(settings)?;
        discovery::refuse_v2(settings)?;
        Ok(Config {
            data_dir: data_dir.into(),
            wal_dir: (!wal_dir.is_empty()).then(|| wal_dir.into()),
            listen: Listen::new(settings, &tls)?,
            tls,
            bootstrap: Bootstrap::new(settings, &name)?,
            founding: Founding::new(settings)?,
            client_urls: advertised(settings, "advertise-client-urls")?,
            name,
            auth: auth::auth(settings)?,
            snapshot_count_entries: number::<u64>(settings, "snapshot-count")?.max(1),
            snapshot_catchup_entries: number(settings, "snapshot-catchup-entries")?,
            heartbeat_interval,
            election_timeout,
            quota_bytes: quota(number(settings, "quota-backend-bytes")?),
            txn_ops_max: number(settings, "max-txn-ops")?,
            request_bytes_max: number(settings, "max-request-bytes")?,
            connection_streams_max: number(settings, "max-concurrent-streams")?,
            ping_interval: pause(settings, "grpc-keepalive-interval")?,
            ping_timeout: span(settings, "grpc-keepalive-timeout")?,
            auto_compaction: auto_compaction(settings)?,
            warning_apply_duration: span(settings, "warning-apply-duration")?,
            warning_unary_request_duration: span(settings, "warning-unary-request-duration")?,
            watch_progress_interval: span(settings, "watch-progress-notify-interval")?.max(WATCH_PROGRESS_INTERVAL_MIN),
            extensive_metrics: extensive(settings)?,
            unsafe_no_fsync: switch(settings, "unsafe-no-fsync")?,
            reuse_port: switch(settings, "socket-reuse-port")?,
            features: Features::new(settings)?,
            feature_table: Features::table(settings)?,
            strict_reconfig_check: switch(settings, "strict-reconfig-check")?,
            learners_max: number(settings, "max-learners")?,
            force_new_cluster: switch(settings, "force-new-cluster")?,
            pre_vote: switch(settings, "pre-vote")?,
            initial_election_tick_advance: switch(settings, "initial-election-tick-advance")?,
            corrupt_check_interval: pause(settings, "corrupt-check-time")?,
            compact_hash_check_interval: compact_hash_check_interval(settings)?,
            downgrade_check_interval: pause(settings, "downgrade-check-time")?,
            http: http::new(settings)?,
            watch_allocations: switch(settings, "enable-pprof")?,
            tracing: tracing::new(settings)?,
            version: spoken(version)?,
        })
    }

    /// What snapshots and `Status` call the storage version: major and minor of the spoken one.
    pub fn storage_version(&self) -> String {
        storage_version_of(&self.version)
    }

    /// etcd's minimum: one and a half election timeouts, in whole seconds.
    pub fn lease_ttl_min_s(&self) -> i64 {
        let ticks = self.election_timeout.as_millis() / self.heartbeat_interval.as_millis().max(1);
        let min_ms = (3 * ticks / 2) * self.heartbeat_interval.as_millis();
        min_ms.div_ceil(1000) as i64
    }

    /// How long a request may wait: five seconds and two elections (etcd config.go, ReqTimeout).
    pub fn request_timeout(&self) -> Duration {
        Duration::from_secs(5) + 2 * self.election_timeout
    }
}

pub fn number<T: std::str::FromStr>(settings: &Settings, name: &str) -> Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text = settings.get(name);
    text.parse()
        .with_context(|| format!("--{name}={text} is not a number that fits"))
}

pub fn switch(settings: &Settings, name: &str) -> Result<bool> {
    let text = settings.get(name);
    parse_bool(text).with_context(|| format!("--{name}={text}"))
}

fn parse_bool(text: &str) -> Result<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        other => bail!("{other} is neither true nor false"),
    }
}

/// A pause between two looks; none if it is zero.
fn pause(settings: &Settings, name: &str) -> Result<Option<Duration>> {
    Ok(Some(span(settings, name)?).filter(|pause| !pause.is_zero()))
}

fn compact_hash_check_interval(settings: &Settings) -> Result<Duration> {
    let name = "compact-hash-check-time";
    pause(settings, name)?.with_context(|| format!("--{name} must be >0 (set to {})", settings.get(name)))
}

pub fn span(settings: &Settings, name: &str) -> Result<Duration> {
    let text = settings.get(name);
    duration::parse(text).with_context(|| format!("--{name}={text} is not a duration such as 300ms, 5s or 1h30m"))
}

fn election(settings: &Settings) -> Result<(Duration, Duration)> {
    let heartbeat = Duration::from_millis(number(settings, "heartbeat-interval")?);
    let election = Duration::from_millis(number(settings, "election-timeout")?);
    ensure!(!heartbeat.is_zero(), "--heartbeat-interval must be >0 (set to 0ms)");
    ensure!(!election.is_zero(), "--election-timeout must be >0 (set to 0ms)");
    ensure!(
        heartbeat * 5 <= election,
        "--election-timeout[{}ms] should be at least as 5 times as --heartbeat-interval[{}ms]",
        election.as_millis(),
        heartbeat.as_millis()
    );
    let max_ms = ELECTION_TIMEOUT_MAX.as_millis();
    ensure!(
        election <= ELECTION_TIMEOUT_MAX,
        "--election-timeout[{}ms] is too long, and should be set less than {max_ms}ms",
        election.as_millis()
    );
    Ok((heartbeat, election))
}

fn quota(bytes: i64) -> Option<u64> {
    match bytes {
        0 => Some(QUOTA_DEFAULT_BYTES),
        bytes => u64::try_from(bytes).ok(),
    }
}

fn auto_compaction(settings: &Settings) -> Result<AutoCompaction> {
    let keep = settings.get("auto-compaction-retention");
    let mode = settings.get("auto-compaction-mode");
    if keep.is_empty() || keep == "0" {
        ensure!(
            matches!(mode, "periodic" | "revision"),
            "unknown auto-compaction-mode {mode:?}"
        );
        return Ok(AutoCompaction::Off);
    }
    let wrong = || format!("error parsing --auto-compaction-retention={keep}");
    match (mode, keep.parse::<i64>()) {
        ("revision", revisions) => Ok(AutoCompaction::Revision(revisions.with_context(wrong)?)),
        // Without a unit it counts hours.
        ("periodic", Ok(hours)) => Ok(AutoCompaction::Periodic(Duration::from_secs(
            3600 * u64::try_from(hours).with_context(wrong)?,
        ))),
        ("periodic", Err(_)) => Ok(AutoCompaction::Periodic(duration::parse(keep).with_context(wrong)?)),
        _ => bail!("unknown auto-compaction-mode {mode:?}"),
    }
}

fn extensive(settings: &Settings) -> Result<bool> {
    match settings.get("metrics") {
        "basic" => Ok(false),
        "extensive" => Ok(true),
        other => bail!("--metrics={other} is neither basic nor extensive"),
    }
}

fn spoken(version: Option<String>) -> Result<String> {
    let version = version.unwrap_or_else(|| ETCD_VERSION.to_owned());
    let parts: Vec<_> = version.split('.').map(str::parse::<u32>).collect();
    ensure!(
        parts.len() == 3 && parts.iter().all(Result::is_ok),
        "ETCD_COMPATIBILITY_VERSION={version} is not a version such as {ETCD_VERSION}"
    );
    Ok(version)
}

/// A format changes with a minor version alone.
pub fn storage_version_of(version: &str) -> String {
    version
        .rsplit_once('.')
        .map_or_else(|| version.to_owned(), |(minor, _)| format!("{minor}.0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(words: &[&str]) -> Result<Config> {
        let settings = Settings::read(words.iter().map(|word| (*word).to_owned()), std::iter::empty())?;
        Config::new(&settings, None)
    }

    #[test]
    fn no_flags_give_etcds_defaults() {
        let config = config(&[]).expect("valid");
        assert_eq!(config.data_dir, PathBuf::from("default.etcd"));
        assert_eq!(config.quota_bytes, Some(2 << 30));
        assert_eq!(config.lease_ttl_min_s(), 2);
        assert_eq!(config.request_timeout(), Duration::from_secs(7));
        assert_eq!(config.storage_version(), "3.6.0");
        assert_eq!(config.auto_compaction, AutoCompaction::Off);
    }

    #[test]
    fn retention_is_hours_a_duration_or_revisions() {
        let of = |words: &[&str]| config(words).expect("valid").auto_compaction;
        let hour = AutoCompaction::Periodic(Duration::from_secs(3600));
        assert_eq!(of(&["--auto-compaction-retention=1"]), hour);
        assert_eq!(of(&["--auto-compaction-retention=60m"]), hour);
        let revisions = of(&["--auto-compaction-mode=revision", "--auto-compaction-retention=1000"]);
        assert_eq!(revisions, AutoCompaction::Revision(1000));
    }

    #[test]
    fn wrong_values_are_refused_by_name() {
        for (words, text) in [
            (&["--snapshot-count=x"][..], "--snapshot-count=x"),
            (
                &["--heartbeat-interval=300"],
                "--election-timeout[1000ms] should be at least as 5 times",
            ),
            (&["--election-timeout=60000"], "is too long"),
            (
                &["--listen-client-urls=http://127.0.0.1:1"],
                "--advertise-client-urls is required",
            ),
            (&["--metrics=all"], "--metrics=all"),
            (&["--auto-compaction-mode=never"], "unknown auto-compaction-mode"),
            (&["--watch-progress-notify-interval=soon"], "is not a duration"),
            (&["--unsafe-no-fsync=maybe"], "neither true nor false"),
            (&["--enable-grpc-gateway=maybe"], "neither true nor false"),
            (&["--cors=example.com"], "--cors=example.com"),
            (
                &["--compact-hash-check-time=0s"],
                "--compact-hash-check-time must be >0 (set to 0s)",
            ),
            (&["--feature-gates=NoSuch=true"], "unrecognized feature gate: NoSuch"),
        ] {
            let error = format!("{:#}", config(words).expect_err(text));
            assert!(error.contains(text), "{error}");
        }
    }

    #[test]
    fn a_negative_quota_is_none() {
        assert_eq!(config(&["--quota-backend-bytes=-1"]).expect("valid").quota_bytes, None);
    }
}
