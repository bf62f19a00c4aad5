//! The order of waking: directory, store, log, membership, member, doors.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use taffrail_api::{Api, ApiConfig, Metrics, Tracer};
use taffrail_consensus::{ClusterFacts, Dialer, Machine, Node, NodeConfig, Peer, discover};
use taffrail_member::{
    CorruptionChecks, Ears, LEASE_CHECKPOINT_INTERVAL, Limits, Member, MemberConfig, MembershipRules, check_not_older,
};
use taffrail_store::{Options, Store};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::Settings;
use crate::config::{Config, Founding, Seat, join};
use crate::data_dir::{DataDir, Locked};
use crate::founding;
use crate::serve::Doors;
use crate::telemetry::{self, Observer};
use crate::tls::Tls;

/// How long the last traces may take at the end.
const TRACES_FLUSH_MAX: Duration = Duration::from_secs(1);

/// Runs a member until it is told to stop or cannot go on.
///
/// # Errors
/// What kept it from starting, or what stopped it.
pub fn run(config: Config, settings: &Settings) -> Result<()> {
    for warning in settings.warnings.iter().chain(&config.listen.warnings) {
        tracing::warn!("{warning}");
    }
    if config.watch_allocations {
        taffrail_api::watch_allocations();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(live(config));
    // Blocking reads may still run; they must not hold the process back.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn live(config: Config) -> Result<()> {
    let metrics = Arc::new(Metrics::new(config.extensive_metrics)?);
    metrics.set_started(unix_time().as_secs_f64());
    let locked = DataDir::lock(&config.data_dir, config.wal_dir.as_deref())?;
    let tls = Tls::new(&config)?;
    let dialer: Arc<dyn Dialer> = tls.dialer.clone();
    let dir = match locked {
        Locked::Claimed(dir) => {
            tell_ignored(&config.founding);
            dir
        }
        Locked::Unclaimed(empty) => empty.claim(&seat(&config, &dialer).await?)?,
    };
    let mut doors = Doors::open(&config, &tls).await?;
    let (node, member) = wake(&config, &dir, &metrics, dialer).await?;
    let peers = doors.serve_peers(&node.peer_service(), &config);
    if config.features.initial_corrupt_check {
        member.check_initially().await?;
    }
    telemetry::watch_leadership(&member, &metrics);
    telemetry::watch_heartbeats(&member, &metrics, config.heartbeat_interval);
    let tracer = config.tracing.clone().map(Tracer::start).transpose()?;
    let api = Api::new(
        member.clone(),
        api_config(&config),
        Arc::clone(&metrics),
        tracer.clone(),
    );
    let serving = doors.serve(api, &config, &metrics);
    let serve = async {
        member.publish().await;
        serving.open();
        telemetry::ready();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = serve => {}
        cause = member.failed() => return Err(anyhow!("stopped, because going on could lose data: {cause}")),
        () = node.removed() => leave_for_good(&dir)?,
        signal = told_to_stop() => tracing::info!(signal = signal?, "received signal, shutting down"),
    }
    tokio::spawn(leave_at_second_signal());
    // First, so that the others have a leader while this member says good-bye to its clients.
    node.step_aside().await;
    member.close_streams();
    serving.drain().await;
    member.shutdown().await;
    drop(peers);
    if let Some(tracer) = tracer {
        // A collector that does not answer holds nobody back.
        let _ = tokio::time::timeout(TRACES_FLUSH_MAX, tracer.flush()).await;
    }
    tracing::info!("closed member");
    Ok(())
}

/// Which member of which cluster this is to be: asks those that are there already.
async fn seat(config: &Config, dialer: &Arc<dyn Dialer>) -> Result<Seat> {
    let mut found: Option<ClusterFacts> = None;
    let bootstrap = founding::bootstrap(config).await?;
    for url in bootstrap.others()? {
        match discover(Arc::clone(dialer), &url).await {
            Ok(facts) if !facts.members.is_empty() => found = Some(facts),
            Ok(_) => {}
            Err(error) => tracing::info!(%error, "could not get cluster response"),
        }
        if bootstrap.joining && found.is_some() {
            break;
        }
        // One that knows of this member's earlier life counts for all.
        if found.is_some() {
            join(found.as_ref(), &bootstrap, config.learners_max)?;
        }
    }
    join(found.as_ref(), &bootstrap, config.learners_max)
}

/// A member with data knows its cluster.
fn tell_ignored(founding: &Founding) {
    if matches!(founding, Founding::Discovered(_)) {
        tracing::warn!("discovery token is ignored since cluster already initialized; valid logs are found");
    }
}

fn leave_for_good(dir: &DataDir) -> Result<()> {
    tracing::warn!("the member has been permanently removed from the cluster");
    tracing::info!("the data-dir used by this member must be removed");
    dir.mark_removed()
}

/// From files to a member that takes part.
async fn wake(
    config: &Config,
    dir: &DataDir,
    metrics: &Arc<Metrics>,
    dialer: Arc<dyn Dialer>,
) -> Result<(Node, Member)> {
    let path = dir.store();
    let opened = tokio::task::spawn_blocking(move || Store::open(&path, &Options::default())).await?;
    let (store, applier) = opened.context("cannot open the store")?;
    let cluster_version = store.view().cluster_version();
    check_not_older(&config.version, cluster_version.as_deref()).map_err(anyhow::Error::msg)?;
    let ears = Ears::new(&store);
    let machine = Machine {
        store: store.clone(),
        applier,
        listener: Arc::clone(&ears) as _,
        identify: taffrail_member::id_of,
    };
    let observer = Arc::new(Observer::new(Arc::clone(metrics), dir.identity.member_id));
    let node = Node::start_with(node_config(config, dir), machine, dialer, observer).await;
    let node = node.context("cannot start from the raft log")?;
    let member = Member::start(member_config(config, dir), store, node.clone(), ears);
    Ok((node, member))
}

fn node_config(config: &Config, dir: &DataDir) -> NodeConfig {
    NodeConfig {
        cluster_id: dir.identity.cluster_id,
        member_id: dir.identity.member_id,
        incarnation: dir.identity.incarnation,
        founders: founders(dir),
        alone: config.force_new_cluster.then(|| Peer {
            peer_urls: config.bootstrap.peer_urls.clone(),
            learner: false,
        }),
        log_dir: dir.wal().to_owned(),
        heartbeat_interval: config.heartbeat_interval,
        election_timeout: config.election_timeout,
        pre_vote: config.pre_vote,
        elect_early: config.initial_election_tick_advance,
        snapshot_count_entries: config.snapshot_count_entries,
        snapshot_catchup_entries: config.snapshot_catchup_entries,
        unsafe_no_fsync: config.unsafe_no_fsync,
    }
}

/// None in a member that joined a cluster.
fn founders(dir: &DataDir) -> Option<BTreeMap<u64, Peer>> {
    let peer = |urls: &Vec<String>| Peer {
        peer_urls: urls.clone(),
        learner: false,
    };
    let founders = dir.identity.founders.iter();
    let founders: BTreeMap<u64, Peer> = founders.map(|founder| (founder.id, peer(&founder.peer_urls))).collect();
    (!founders.is_empty()).then_some(founders)
}

fn member_config(config: &Config, dir: &DataDir) -> MemberConfig {
    MemberConfig {
        cluster_id: dir.identity.cluster_id,
        member_id: dir.identity.member_id,
        incarnation: dir.identity.incarnation,
        name: config.name.clone(),
        client_urls: config.client_urls.clone(),
        version: config.version.clone(),
        started_at_ms: unix_time().as_millis() as u64,
        request_timeout: config.request_timeout(),
        lease_ttl_min_s: config.lease_ttl_min_s(),
        lease_checkpoint_interval: config.features.lease_checkpoint.then_some(LEASE_CHECKPOINT_INTERVAL),
        election_timeout: config.election_timeout,
        auth: config.auth.clone(),
        limits: Limits {
            request_bytes_max: config.request_bytes_max,
            ..Limits::default()
        },
        membership: MembershipRules {
            strict: config.strict_reconfig_check,
            learners_max: config.learners_max,
        },
        quota_bytes: config.quota_bytes,
        auto_compaction: config.auto_compaction,
        warning_apply_duration: config.warning_apply_duration,
        watch_progress_interval: config.watch_progress_interval,
        corruption_checks: CorruptionChecks {
            everything: config.corrupt_check_interval,
            compactions: config
                .features
                .compact_hash_check
                .then_some(config.compact_hash_check_interval),
        },
        downgrade_check_interval: config.downgrade_check_interval,
        scratch_dir: dir.scratch(),
    }
}

fn api_config(config: &Config) -> ApiConfig {
    ApiConfig {
        txn_ops_max: config.txn_ops_max,
        request_bytes_max: config.request_bytes_max,
        storage_version: config.storage_version(),
        extensive_metrics: config.extensive_metrics,
        warning_unary_request_duration: config.warning_unary_request_duration,
        stop_on_defrag: config.features.stop_on_defrag,
        features: config.feature_table.clone(),
        http: config.http.clone(),
    }
}

fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Waits for SIGTERM or SIGINT, and names it.
pub async fn told_to_stop() -> Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => Ok("terminated"),
        _ = interrupt.recv() => Ok("interrupt"),
    }
}

/// Somebody has no patience for the drain.
async fn leave_at_second_signal() {
    if let Ok(signal) = told_to_stop().await {
        tracing::warn!(signal, "received another signal, leaving at once");
        std::process::exit(1);
    }
}
