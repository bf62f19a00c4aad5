//! How a node wakes: log, state, raft, and the check that log and state belong together.

use std::sync::{Arc, Mutex, Weak};

use taffrail_store::Position;
use tokio::sync::{mpsc, oneshot, watch};

use crate::apply::{Applying, Solo, is_alone, removed};
use crate::barrier::{self, Rounds};
use crate::config::NodeConfig;
use crate::error::StartError;
use crate::failure::Failure;
use crate::forward::{Forwarder, Waiters};
use crate::founding;
use crate::log::disk::Disk;
use crate::log::{Log, LogOptions, RealDisk};
use crate::machine::{JOBS_MAX, StateMachine, persist};
use crate::node::{Inner, Leadership, Node, Open, Raft};
use crate::peer::{Dialer, PeerBook, Peers, PlainDialer, keep_in_touch};
use crate::recorder::{NoRecorder, Recorder};
use crate::settle::settle;
use crate::shared::Shared;
use crate::state::{Apply, Look, Machine, State};
use crate::storage::LogStorage;
use crate::watch::Watch;

const WAY_OUT: &str = "restore this member from a snapshot, or remove it from the cluster and add it again empty";

impl Node {
    /// Opens the log, replays what the store has not applied yet, and joins the elections.
    pub async fn start(config: NodeConfig, machine: Machine) -> Result<Node, StartError> {
        Self::start_with(config, machine, Arc::new(PlainDialer), Arc::new(NoRecorder)).await
    }

    /// The same, with a way to dial peers and somebody who keeps metrics.
    pub async fn start_with(
        config: NodeConfig,
        machine: Machine,
        dialer: Arc<dyn Dialer>,
        recorder: Arc<dyn Recorder>,
    ) -> Result<Node, StartError> {
        let (folder, sync) = (config.log_dir.clone(), !config.unsafe_no_fsync);
        let disk = RealDisk::open(&folder, sync)
            .map_err(|error| StartError::Log(format!("log folder {}: {error}", folder.display())))?;
        let identify = machine.identify;
        let (apply, state) = machine.split();
        let parts = Parts {
            log: LogOptions::new(recorder.clone()),
            disk: Arc::new(disk),
            apply,
            state,
            identify,
            dialer,
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
    pub identify: fn(&[u8]) -> Option<u64>,
    pub dialer: Arc<dyn Dialer>,
    pub recorder: Arc<dyn Recorder>,
}

pub(crate) async fn start(config: NodeConfig, parts: Parts) -> Result<Node, StartError> {
    let raft_config = config.raft()?;
    let Parts {
        log,
        disk,
        apply,
        state,
        identify,
        dialer,
        recorder,
    } = parts;
    let failure = Failure::new();
    let shared = Arc::new(Shared::default());

    let (log, log_closed) = open_log(disk, log, failure.clone()).await?;
    let look = state.look();
    catch_up_log(&log, &look).await?;
    check(&log, look.position)?;
    let founded = founding::found(&log, &config).await?;
    if let Some(peer) = config.alone.clone() {
        founding::survive_alone(&log, &config, peer).await?;
    }
    // A raft snapshot at this position is reported from now on, so it must be durable.
    persist(state.clone(), recorder.clone())
        .await
        .map_err(|error| StartError::State(error.to_string()))?;
    shared.applied(look.position);

    let book = PeerBook::new(
        config.identity(),
        config.pace(),
        dialer,
        state.clone(),
        failure.clone(),
        recorder.clone(),
    );
    let membership = look.membership.map(|(_, bytes)| bytes);
    book.set_removed(membership.as_deref().map_or_else(Default::default, removed));
    let start_term = log
        .state()
        .ballot
        .map_or(0, |ballot| ballot.term)
        .max(log.state().last.term);
    let solo = Solo {
        member_id: config.member_id,
        start_term,
        alone: membership
            .as_ref()
            .is_some_and(|bytes| is_alone(config.member_id, bytes)),
    };
    let waiters = Arc::new(Waiters::default());
    let applying = Applying {
        state: apply,
        shared: shared.clone(),
        solo,
        membership,
        waiters: waiters.clone(),
        identify,
        book: book.clone(),
        failure: failure.clone(),
        recorder: recorder.clone(),
    };
    let (jobs, queue) = mpsc::channel(JOBS_MAX);
    let apply_closed = spawn("apply", move || applying.run(queue))?;
    let machine = StateMachine {
        state: state.clone(),
        jobs,
        failure: failure.clone(),
        recorder,
    };

    let storage = LogStorage {
        log: log.clone(),
        shared: shared.clone(),
    };
    let raft = Raft::new(config.member_id, raft_config, Peers(book.clone()), storage, machine)
        .await
        .map_err(|error| StartError::Raft(failure.get().unwrap_or_else(|| error.to_string())))?;
    let (leads, leadership) = watch::channel(Leadership::default());
    let (readers, reader_queue) = mpsc::channel(barrier::READERS_MAX);
    let rounds = Rounds {
        raft: raft.clone(),
        member_id: config.member_id,
        leadership: leadership.clone(),
        book: book.clone(),
        shared: shared.clone(),
    };
    tokio::spawn(rounds.serve(reader_queue));
    let watch = Watch {
        raft: raft.clone(),
        member_id: config.member_id,
        shared: shared.clone(),
        book: book.clone(),
        failure: failure.clone(),
        leads,
        start_term,
        was_member: false,
        leading_since: None,
    };
    tokio::spawn(watch.run());
    tokio::spawn(keep_in_touch(Arc::downgrade(&book)));
    let inner = Arc::new(Inner {
        member_id: config.member_id,
        raft,
        shared,
        failure,
        forwarder: Forwarder::new(book.clone(), waiters),
        book,
        state,
        answerer: Arc::default(),
        changing: tokio::sync::Mutex::new(()),
        leadership,
        readers,
        open: Mutex::new(Some(Open {
            log,
            closed: vec![log_closed, apply_closed],
        })),
    });
    tokio::spawn(settle(Arc::downgrade(&inner)));
    let node = Node { inner };
    node.elect_early(founded && config.elect_early).await;
    Ok(node)
}

/// A state that came from another member as a whole is ahead of the log if the process ended before the log was
/// told. Nothing beyond that position can have been logged then.
async fn catch_up_log(log: &Log, look: &Look) -> Result<(), StartError> {
    if look.installed != Some(look.position) || log.state().last.index >= look.position.index {
        return Ok(());
    }
    tracing::info!(position = ?look.position, "the log goes on after an installed snapshot");
    let purged = log.purge(look.position).await;
    purged.map_err(|error| StartError::Log(error.to_string()))
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

impl Node {
    /// Saves the wait for an election timeout where it would bring nothing: alone nobody else could win, and the
    /// founders of a cluster would only compete with each other.
    async fn elect_early(&self, founded: bool) {
        let voters = self.voters();
        if voters.len() == 1 && voters.contains(&self.inner.member_id) {
            elect(&self.inner.raft).await;
        } else if founded && voters.first() == Some(&self.inner.member_id) {
            tokio::spawn(elect_when_in_touch(Arc::downgrade(&self.inner), voters.len() / 2));
        }
    }
}

async fn elect(raft: &Raft) {
    if let Err(error) = raft.trigger().elect(false).await {
        tracing::warn!(%error, "no election at start; the election timeout will bring one");
    }
}

/// Waits until a quorum can be reached, unless somebody else leads first.
async fn elect_when_in_touch(node: Weak<Inner>, others_needed: usize) {
    while let Some(inner) = node.upgrade() {
        let pace = inner.book.pace;
        if inner.leadership.borrow().leader.is_some() {
            return;
        }
        if inner.book.in_touch().len() >= others_needed {
            return elect(&inner.raft).await;
        }
        drop(inner);
        tokio::time::sleep(pace.heartbeat / 2).await;
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
