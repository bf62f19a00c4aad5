//! How a node wakes: log, state, raft, and the check that log and state belong together.

use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, watch};

use crate::apply::{Applying, removed};
use crate::barrier::{self, Rounds};
use crate::config::NodeConfig;
use crate::error::StartError;
use crate::failure::Failure;
use crate::forward::{Forwarder, Waiters};
use crate::founding;
use crate::log::disk::Disk;
use crate::log::{LogOptions, RealDisk};
use crate::machine::{JOBS_MAX, StateMachine, persist};
use crate::node::{Inner, Leadership, Node, Open, Raft};
use crate::open::{catch_up_log, check, open_log, spawn};
use crate::peer::{Dialer, PeerBook, Peers, PlainDialer, keep_in_touch};
use crate::recorder::{NoRecorder, Recorder};
use crate::settle::settle;
use crate::shared::Shared;
use crate::solo::{Solo, is_alone};
use crate::state::{Apply, Machine, State};
use crate::storage::LogStorage;
use crate::watch::Watch;

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
        logged: log.durable(),
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
