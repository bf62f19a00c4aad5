//! A line now and then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use taffrail_e2e::cluster::status;
use taffrail_e2e::load::Shared;
use tokio::task::JoinHandle;

const LINE_PAUSE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(500);

/// Follows the terms that members tell.
pub struct Progress {
    leader_changes: Arc<AtomicU64>,
    tasks: [JoinHandle<()>; 2],
}

impl Progress {
    pub fn start(shared: Arc<Shared>) -> Self {
        let leader_changes = Arc::new(AtomicU64::new(0));
        let tasks = [
            tokio::spawn(follow_terms(shared.clone(), leader_changes.clone())),
            tokio::spawn(tell(shared, leader_changes.clone())),
        ];
        Self { leader_changes, tasks }
    }

    pub fn leader_changes(&self) -> u64 {
        self.leader_changes.load(Ordering::Relaxed)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn follow_terms(shared: Arc<Shared>, changes: Arc<AtomicU64>) {
    let mut known = None;
    loop {
        for url in shared.doors.members() {
            let Ok(status) = status(url).await else { continue };
            let led = (status.raft_term, status.leader);
            if status.leader != 0 && Some(led) > known {
                changes.fetch_add(u64::from(known.is_some()), Ordering::Relaxed);
                known = Some(led);
            }
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn tell(shared: Arc<Shared>, changes: Arc<AtomicU64>) {
    loop {
        tokio::time::sleep(LINE_PAUSE).await;
        println!(
            "{:>8.1} s  {}",
            shared.recorder.clock.now() as f64 / 1e6,
            line(&shared, changes.load(Ordering::Relaxed))
        );
    }
}

pub fn line(shared: &Shared, leader_changes: u64) -> String {
    let totals = shared.figures.totals();
    let (ok, refused, unknown, events) = (totals.ok, totals.refused, totals.unknown, totals.events);
    let faults = totals.faults;
    format!(
        "ops {ok} ok, {refused} refused, {unknown} unknown; {events} events heard; revision {}, compacted {}; {faults} faults, {leader_changes} leader changes",
        shared.newest(),
        shared.compacted()
    )
}
