//! Reads history for the watchers of one stream that are behind, a batch per pull of the client.

use std::sync::Arc;

use taffrail_proto::mvccpb::Event;
use taffrail_store::{EventsError, View};

use super::stream::WatchStream;
use super::watcher::{Place, Watcher};
use super::{Hub, WatchItem};

/// Events read in one go.
const BATCH_EVENTS_MAX: usize = 1_000;
const BATCH_BYTES_MAX: usize = 256 << 10;

/// A stretch of history: everything from `from` up to, not including, `next`.
struct Stretch {
    events: Vec<Arc<Event>>,
    next: i64,
    /// The store's revision when this was read.
    revision: i64,
}

/// A watcher behind, with the revision it needs next.
type Laggard = (Arc<Watcher>, i64);

impl WatchStream {
    /// Brings the stream's laggards one batch further; those that have everything become live again.
    pub(super) async fn catch_up(&self) {
        let view = self.member.view();
        let laggards = self.drop_compacted(view.compacted());
        let Some(from) = laggards.iter().map(|(_, next)| *next).min() else {
            return;
        };
        match self.read(view, from, &laggards).await {
            Ok(stretch) => self.hand_out(&laggards, &stretch),
            // The floor rose meanwhile; the next pass tells those it hit.
            Err(EventsError::Compacted(_)) => {}
            Err(EventsError::Failure(failure)) => {
                tracing::error!(%failure, "cannot read history for a watcher");
                self.hub.close();
            }
        }
    }

    fn drop_compacted(&self, compact_revision: i64) -> Vec<Laggard> {
        let mut inside = self.queue.lock();
        let behind = |held: &super::stream::Held| match held.place {
            Place::Behind { next } => Some((Arc::clone(&held.watcher), next)),
            _ => None,
        };
        let laggards: Vec<Laggard> = inside.watchers.values().filter_map(behind).collect();
        let (lost, kept): (Vec<_>, Vec<_>) = laggards.into_iter().partition(|(_, next)| *next < compact_revision);
        for (watcher, _) in lost {
            inside.place(watcher.watch_id, Place::Compacted);
            inside.push(WatchItem::Compacted {
                watch_id: watcher.watch_id,
                compact_revision,
            });
        }
        kept
    }

    /// From memory if it is all there, else from the store.
    async fn read(&self, view: View, from: i64, laggards: &[Laggard]) -> Result<Stretch, EventsError> {
        if let Some(stretch) = recent(&self.hub, from) {
            return Ok(stretch);
        }
        let watchers: Vec<_> = laggards.iter().map(|(watcher, _)| Arc::clone(watcher)).collect();
        let read = move || {
            let wanted = |key: &[u8]| watchers.iter().any(|w| w.spec.range.contains(key));
            let batch = view.events(from, BATCH_EVENTS_MAX, BATCH_BYTES_MAX, &wanted)?;
            let events = batch.events.into_iter().map(Arc::new).collect();
            Ok(Stretch {
                events,
                next: batch.next_revision,
                revision: view.revision(),
            })
        };
        let lost = |lost| EventsError::Failure(std::io::Error::other(lost).into());
        tokio::task::spawn_blocking(read).await.map_err(lost)?
    }

    /// Queues each laggard's share and moves it on, under the hub's lock so that nothing falls between.
    fn hand_out(&self, laggards: &[Laggard], stretch: &Stretch) {
        let mut live = self.hub.lock();
        let mut inside = self.queue.lock();
        for (watcher, next) in laggards {
            let held = inside.watchers.get(&watcher.watch_id);
            let same = held.is_some_and(|h| h.watcher.serial == watcher.serial);
            if !same || *next >= stretch.next {
                continue;
            }
            let events = share(watcher, *next, stretch);
            if !events.is_empty() {
                inside.push(watcher.events(stretch.revision, events));
                inside.heard(watcher.watch_id);
            }
            if stretch.next > live.revision {
                inside.place(watcher.watch_id, Place::Live { from: stretch.next });
                live.index.insert(Arc::clone(watcher));
            } else {
                inside.fall_behind(watcher.watch_id, stretch.next);
            }
        }
    }
}

/// What one watcher is to hear of a stretch.
fn share(watcher: &Watcher, next: i64, stretch: &Stretch) -> Vec<Arc<Event>> {
    let new = |event: &&Arc<Event>| event.kv.as_ref().is_some_and(|kv| kv.mod_revision >= next);
    stretch
        .events
        .iter()
        .filter(new)
        .filter(|event| watcher.wants_key_and_kind(event))
        .cloned()
        .collect()
}

fn recent(hub: &Hub, from: i64) -> Option<Stretch> {
    let live = hub.lock();
    let changes = live.recent.since(from, BATCH_BYTES_MAX)?;
    let next = changes.last().map_or(live.revision, |change| change.revision) + 1;
    let events = changes
        .iter()
        .flat_map(|change| change.events.iter().cloned())
        .collect();
    Some(Stretch {
        events,
        next,
        revision: live.revision,
    })
}
