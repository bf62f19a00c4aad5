//! How a node wakes: log, state, raft, and the check that log and state belong together.

use std::sync::{Arc, Mutex};

use openraft::async_runtime::WatchReceiver;
use taffrail_store::Position;
use tokio::sync::{mpsc, oneshot, watch};

use crate::apply::{Applying, Job, Solo, is_alone};
use crate::barrier;
use crate::config::NodeConfig;
use crate::error::StartError;
use crate::failure::Failure;
use crate::log::disk::Disk;
use crate::log::{Log, LogOptions, RealDisk};
use crate::machine::{JOBS_MAX, StateMachine, persist};
use crate::node::{Inner, Leadership, Node, Open, Raft};
use crate::peer::Peers;
use crate::recorder::{NoRecorder, Recorder};
use crate::shared::Shared;
use crate::state::{Apply, Machine, State};
use crate::storage::LogStorage;

const WAY_OUT: &str = "restore this member from a snapshot, or remove it from the cluster and add it again empty";

impl Node {
    /// Opens the log, replays what the store has not applied yet, and joins the elections.
    pub async fn start(config: NodeConfig, machine: Machine) -> Result<Node, StartError> {
        Self::start_recorded(config, machine, Arc::new(NoRecorder)).await
    }

    /// The same, with somebody who keeps metrics.
    pub async fn start_recorded(
        config: NodeConfig,
        machine: Machine,
        recorder: Arc<dyn Recorder>,
    ) -> Result<Node, StartError> {
        let (folder, sync) = (config.log_dir.clone(), !config.unsafe_no_fsync);
        let disk = RealDisk::open(&folder, sync)
            .map_err(|error| StartError::Log(format!("log folder {}: {error}", folder.display())))?;
        let (apply, state) = machine.split();
        let parts = Parts {
            log: LogOptions::new(recorder.clone()),
            disk: Arc::new(disk),
            apply,
            state,
            recorder,
        };
        start(config, parts).await
    }
}

/// Everything a node stands on.
pub(crate) struct Parts {
    pub log: LogOptions,
    pub disk: Arc<dyn Disk>,
    pub apply: Box<dyn Apply>,
    pub state: Arc<dyn State>,
    pub recorder: Arc<dyn Recorder>,
}

pub(crate) async fn start(config: NodeConfig, parts: Parts) -> Result<Node, StartError> {
    let raft_config = config.raft()?;
    let Parts {
        log,
        disk,
        apply,
        state,
        recorder,
    } = parts;
    let failure = Failure::new();
    let shared = Arc::new(Shared::default());

    let (log, log_closed) = open_log(disk, log, failure.clone()).await?;
    let look = state.look();
    check(&log, look.position)?;
    // A raft snapshot at this position is reported from now on, so it must be durable.
    persist(state.clone(), recorder.clone())
        .await
        .map_err(|error| StartError::State(error.to_string()))?;
    shared.applied(look.position);

    let solo = Solo {
        member_id: config.member_id,
        start_term: log
            .state()
            .ballot
            .map_or(0, |ballot| ballot.term)
            .max(log.state().last.term),
        alone: look
            .membership
            .is_some_and(|(_, bytes)| is_alone(config.member_id, &bytes)),
    };
    let applying = Applying {
        state: apply,
        shared: shared.clone(),
        solo,
        failure: failure.clone(),
        recorder: recorder.clone(),
    };
    let (jobs, queue) = mpsc::channel(JOBS_MAX);
    let apply_closed = spawn("apply", move || applying.run(queue))?;
    let behind = jobs.downgrade();
    let machine = StateMachine {
        state,
        jobs,
        failure: failure.clone(),
        recorder,
    };

    let storage = LogStorage {
        log: log.clone(),
        shared: shared.clone(),
    };
    let raft = Raft::new(config.member_id, raft_config, Peers, storage, machine)
        .await
        .map_err(|error| StartError::Raft(failure.get().unwrap_or_else(|| error.to_string())))?;
    let node = assemble(
        raft,
        behind,
        shared,
        failure,
        Open {
            log,
            closed: vec![log_closed, apply_closed],
        },
    );
    elect_if_alone(&node.inner.raft, config.member_id).await;
    Ok(node)
}

async fn open_log(
    disk: Arc<dyn Disk>,
    options: LogOptions,
    failure: Failure,
) -> Result<(Log, oneshot::Receiver<()>), StartError> {
    let open = move || Log::open(disk, options, failure);
    let opened = tokio::task::spawn_blocking(open)
        .await
        .map_err(|error| StartError::Log(error.to_string()))?;
    let (log, writer) = opened?;
    let closed = spawn("log-writer", move || writer.run())?;
    Ok((log, closed))
}

/// The log must hold everything that the state has not applied, and everything that it has must have been logged.
fn check(log: &Log, applied: Position) -> Result<(), StartError> {
    let state = log.state();
    let refuse = |why: String| Err(StartError::Log(format!("{why}: {WAY_OUT}")));
    if applied.index + 1 < log.first_index() {
        return refuse(format!(
            "the state has applied entry {}, but the log begins after entry {}",
            applied.index,
            log.first_index() - 1
        ));
    }
    if applied.index > state.last.index {
        return refuse(format!(
            "the state has applied entry {}, but the log ends at entry {}: acknowledged entries are lost",
            applied.index, state.last.index
        ));
    }
    let same = log
        .read(applied.index..applied.index + 1, 1)
        .map_err(|error| StartError::Log(error.to_string()))?;
    match same.first() {
        Some(entry) if entry.position != applied => refuse(format!(
            "entry {} has term {} in the state and term {} in the log: they do not belong together",
            applied.index, applied.term, entry.position.term
        )),
        _ => Ok(()),
    }
}

fn assemble(raft: Raft, jobs: mpsc::WeakSender<Job>, shared: Arc<Shared>, failure: Failure, open: Open) -> Node {
    let (leads, leadership) = watch::channel(Leadership::default());
    let (readers, queue) = mpsc::channel(barrier::READERS_MAX);
    tokio::spawn(barrier::serve(raft.clone(), jobs, queue));
    tokio::spawn(watch_raft(raft.clone(), shared.clone(), failure.clone(), leads));
    Node {
        inner: Arc::new(Inner {
            raft,
            shared,
            failure,
            leadership,
            readers,
            open: Mutex::new(Some(open)),
        }),
    }
}

/// Passes on who leads; once raft has ended, why.
async fn watch_raft(raft: Raft, shared: Arc<Shared>, failure: Failure, leads: watch::Sender<Leadership>) {
    let mut metrics = raft.server_metrics();
    loop {
        let now = {
            let seen = metrics.borrow_watched();
            Leadership {
                leader: seen.current_leader,
                term: seen.vote.leader_id.term,
            }
        };
        shared.saw_term(now.term);
        leads.send_if_modified(|before| std::mem::replace(before, now) != now);
        if metrics.changed().await.is_err() {
            break;
        }
    }
    leads.send_modify(|before| before.leader = None);
    shared.stop();
    let end = raft.metrics().borrow_watched().running_state.clone();
    match end {
        Ok(()) | Err(openraft::errors::Fatal::Stopped) => {}
        Err(error) => failure.set(format!("raft has stopped: {error}")),
    }
}

/// Nobody else could win, so there is nothing to wait for.
async fn elect_if_alone(raft: &Raft, member_id: u64) {
    let voters: Vec<u64> = raft.voter_ids().collect();
    if voters == [member_id]
        && let Err(error) = raft.trigger().elect(false).await
    {
        tracing::warn!(%error, "no election at start; the election timeout will bring one");
    }
}

/// A thread of its own; the receiver is told when all it held is dropped.
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<oneshot::Receiver<()>, StartError> {
    let (closed, told) = oneshot::channel();
    let body = move || {
        work();
        let _ = closed.send(());
    };
    std::thread::Builder::new()
        .name(name.into())
        .spawn(body)
        .map_err(StartError::thread)?;
    Ok(told)
}
