//! Many clients that do everything at once, and write down what they asked and heard.
//!
//! Enters: the client addresses of members, a seed and how much. Leaves: records through the recorder, and figures.
//! Always holds: a client talks to one member at a time; a request is recorded with its outcome, and one that was
//! never sent is not recorded; only revisions that some collector has heard of are compacted, so the checker always
//! knows every write.

mod call;
mod clear;
mod clients;
mod compactor;
mod connection;
mod doors;
mod figures;
mod lease_holder;
mod mix;
mod outcome;
mod reader;
mod shared;
mod stream;
mod watcher;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::task::JoinSet;

pub use clear::clear;
pub use doors::Doors;
pub use figures::{Figures, Totals};
pub use reader::Reader;
pub use shared::{Settings, Shared};

use crate::chance::Chance;
use crate::history::Recorder;

/// How long the end of everything may take once the cluster is well.
const DRAIN_PATIENCE: Duration = Duration::from_secs(60);

/// The clients of a run.
pub struct Load {
    pub shared: Arc<Shared>,
    writers: JoinSet<()>,
    listeners: JoinSet<()>,
}

impl Load {
    pub fn start(doors: impl Into<Doors>, recorder: Recorder, chance: &Chance, settings: Settings) -> Self {
        let doors = doors.into();
        let members = doors.slots();
        let shared = Arc::new(Shared::new(doors, recorder, settings));
        let (mut writers, mut listeners) = (JoinSet::new(), JoinSet::new());
        for member in 0..members {
            listeners.spawn(watcher::collect(shared.clone(), member));
            for _ in 0..settings.clients_per_member {
                writers.spawn(clients::run(shared.clone(), member, chance.split(shared.recorder.id())));
            }
            for _ in 0..settings.lease_holders_per_member {
                writers.spawn(lease_holder::run(
                    shared.clone(),
                    member,
                    chance.split(shared.recorder.id()),
                ));
            }
            for _ in 0..settings.watchers_per_member {
                listeners.spawn(watcher::roam(shared.clone(), chance.split(shared.recorder.id())));
            }
        }
        writers.spawn(compactor::run(shared.clone(), chance.split(shared.recorder.id())));
        Self {
            shared,
            writers,
            listeners,
        }
    }

    /// Ends all writing, waits until every watcher has heard everything, and compares the members.
    pub async fn finish(mut self) -> Result<Arc<Shared>> {
        self.shared.stop_writing();
        while self.writers.join_next().await.is_some() {}
        self.shared.wait_for_the_end_of_leases(DRAIN_PATIENCE).await;
        let last = self.shared.last_revision().await?;
        self.shared.compare_members(last).await;
        self.shared.listen_until(last);
        while self.listeners.join_next().await.is_some() {}
        self.shared.recorder.flush()?;
        Ok(self.shared)
    }
}
