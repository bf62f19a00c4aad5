//! One client's stream: its watchers, and a bounded queue of what it is to hear.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use taffrail_proto::mvccpb::Event;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::hub::{Hub, Live};
use super::watcher::{Place, Watcher, event_bytes};
use super::{INVALID_WATCH_ID, WatchItem, WatchSpec};
use crate::Member;
use crate::counters::Counters;

/// Answers to the client's own requests that may wait before the stream stops reading requests.
const CONTROL_ITEMS_MAX: usize = 1024;

/// The client's end of its watches. Dropping it cancels them all.
pub struct WatchStream {
    pub(super) member: Member,
    pub(super) hub: Arc<Hub>,
    pub(super) queue: Arc<Queue>,
}

/// What the stream holds between the apply thread and the client.
pub(super) struct Queue {
    inside: Mutex<Inside>,
    /// There may be something to say.
    wake: Notify,
    /// Something has been said.
    room: Notify,
    bytes_max: usize,
}

pub(super) struct Inside {
    counters: Arc<Counters>,
    items: VecDeque<(WatchItem, usize)>,
    bytes: usize,
    pub watchers: BTreeMap<i64, Held>,
    next_watch_id: i64,
    behind: usize,
}

/// A watcher and where it stands.
pub(super) struct Held {
    pub watcher: Arc<Watcher>,
    pub place: Place,
    /// Has heard something since the last progress notification.
    heard: bool,
}

impl Queue {
    pub fn new(bytes_max: usize, counters: Arc<Counters>) -> Self {
        let inside = Inside {
            counters,
            items: VecDeque::new(),
            bytes: 0,
            watchers: BTreeMap::new(),
            next_watch_id: 0,
            behind: 0,
        };
        Queue {
            inside: Mutex::new(inside),
            wake: Notify::new(),
            room: Notify::new(),
            bytes_max,
        }
    }

    pub fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one revision's events for a live watcher. False if the watcher is to leave the hub: the queue is full,
    /// and the watcher falls behind at this revision.
    pub fn deliver(&self, watcher: &Watcher, revision: i64, events: Vec<Arc<Event>>) -> bool {
        let mut inside = self.lock();
        let full = inside.bytes > self.bytes_max;
        let Some(held) = inside.watchers.get_mut(&watcher.watch_id) else {
            return false;
        };
        match held.place {
            Place::Live { from } if revision < from => return true,
            Place::Live { .. } if full => {
                inside.fall_behind(watcher.watch_id, revision);
                self.wake.notify_one();
                return false;
            }
            Place::Live { .. } => held.heard = true,
            _ => return false,
        }
        inside.push(watcher.events(revision, events));
        drop(inside);
        self.wake.notify_one();
        true
    }

    /// The state jumped over revisions up to `revision`. True if the watcher waits for a later one anyway; else it
    /// leaves the hub and reads what it missed, from `next` on.
    pub fn jumped(&self, watcher: &Watcher, next: i64, revision: i64) -> bool {
        let mut inside = self.lock();
        let place = inside.watchers.get(&watcher.watch_id).map(|held| held.place);
        match place {
            Some(Place::Live { from }) if from > revision => true,
            Some(Place::Live { from }) => {
                inside.fall_behind(watcher.watch_id, from.max(next));
                self.wake.notify_one();
                false
            }
            _ => false,
        }
    }

    fn say(&self, inside: &mut Inside, item: WatchItem) {
        inside.push(item);
        self.wake.notify_one();
    }
}

impl Inside {
    pub fn push(&mut self, item: WatchItem) {
        let bytes = item_bytes(&item);
        self.counters.events_pending.add(events_in(&item));
        self.bytes += bytes;
        self.items.push_back((item, bytes));
    }

    fn pop(&mut self) -> Option<WatchItem> {
        let (item, bytes) = self.items.pop_front()?;
        self.bytes -= bytes;
        self.counters.events_pending.add(-events_in(&item));
        Some(item)
    }

    pub fn fall_behind(&mut self, watch_id: i64, next: i64) {
        self.place(watch_id, Place::Behind { next });
    }

    /// Moves a watcher and keeps the count of those behind.
    pub fn place(&mut self, watch_id: i64, place: Place) {
        let Some(held) = self.watchers.get_mut(&watch_id) else {
            return;
        };
        let was_behind = matches!(held.place, Place::Behind { .. });
        held.place = place;
        self.count_behind(was_behind, matches!(place, Place::Behind { .. }));
    }

    fn count_behind(&mut self, before: bool, after: bool) {
        self.behind = self.behind + usize::from(after) - usize::from(before);
        self.counters.watchers_behind.add(i64::from(after) - i64::from(before));
    }

    pub fn heard(&mut self, watch_id: i64) {
        if let Some(held) = self.watchers.get_mut(&watch_id) {
            held.heard = true;
        }
    }

    fn insert(&mut self, watcher: Arc<Watcher>, place: Place) {
        self.count_behind(false, matches!(place, Place::Behind { .. }));
        self.watchers.insert(
            watcher.watch_id,
            Held {
                watcher,
                place,
                heard: true,
            },
        );
    }

    fn remove(&mut self, watch_id: i64) -> Option<Held> {
        self.place(watch_id, Place::Compacted);
        self.watchers.remove(&watch_id)
    }

    /// The wanted id, or the next free one; None if it is taken.
    fn claim_id(&mut self, wanted: i64) -> Option<i64> {
        if wanted != 0 {
            return (!self.watchers.contains_key(&wanted)).then_some(wanted);
        }
        while self.watchers.contains_key(&self.next_watch_id) {
            self.next_watch_id += 1;
        }
        self.next_watch_id += 1;
        Some(self.next_watch_id - 1)
    }
}

fn events_in(item: &WatchItem) -> i64 {
    match item {
        WatchItem::Events { events, .. } => events.len() as i64,
        _ => 0,
    }
}

fn item_bytes(item: &WatchItem) -> usize {
    const ITEM_BYTES: usize = 64;
    match item {
        WatchItem::Events { events, .. } => ITEM_BYTES + events.iter().map(|e| event_bytes(e)).sum::<usize>(),
        _ => ITEM_BYTES,
    }
}

impl Member {
    pub fn watch_stream(&self) -> WatchStream {
        let queue = Arc::new(Queue::new(
            self.config().limits.watch_queue_bytes_max,
            Arc::clone(&self.0.ears.counters),
        ));
        self.counters().watch_streams.add(1);
        WatchStream {
            member: self.clone(),
            hub: Arc::clone(&self.0.ears.hub),
            queue,
        }
    }
}

impl WatchStream {
    /// What is queued for the client, in bytes of memory.
    pub fn queued_bytes(&self) -> usize {
        self.queue.lock().bytes
    }

    /// Waits until the client has read enough of the answers to its requests.
    pub async fn ready(&self) {
        loop {
            let room = self.queue.room.notified();
            if self.queue.lock().items.len() < CONTROL_ITEMS_MAX {
                return;
            }
            room.await;
        }
    }

    pub fn create(&self, spec: WatchSpec) {
        let mut live = self.hub.lock();
        let mut inside = self.queue.lock();
        match self.admit(&live, &mut inside, spec) {
            Ok((watcher, place)) => self.enrol(&mut live, &mut inside, watcher, place),
            Err(reason) => self.queue.say(
                &mut inside,
                WatchItem::Refused {
                    revision: live.revision,
                    reason,
                },
            ),
        }
    }

    /// Says no without a watcher, for a reason that the caller has found.
    pub fn refuse(&self, reason: &'static str) {
        let revision = self.hub.lock().revision;
        self.queue
            .say(&mut self.queue.lock(), WatchItem::Refused { revision, reason });
    }

    fn admit(&self, live: &Live, inside: &mut Inside, spec: WatchSpec) -> Result<(Arc<Watcher>, Place), &'static str> {
        if spec.range.is_empty() {
            return Err("mvcc: watcher range is empty");
        }
        let taken = "mvcc: duplicate watch ID provided on the WatchStream";
        let watch_id = inside.claim_id(spec.watch_id).ok_or(taken)?;
        let place = match spec.start_revision {
            0 => Place::Live {
                from: live.revision + 1,
            },
            start if start > live.revision => Place::Live { from: start },
            start => Place::Behind { next: start },
        };
        let stream = Arc::clone(&self.queue);
        Ok((
            Arc::new(Watcher {
                serial: self.hub.next_serial(),
                watch_id,
                spec,
                stream,
            }),
            place,
        ))
    }

    fn enrol(&self, live: &mut Live, inside: &mut Inside, watcher: Arc<Watcher>, place: Place) {
        let created = WatchItem::Created {
            watch_id: watcher.watch_id,
            revision: live.revision,
        };
        self.queue.say(inside, created);
        inside.insert(Arc::clone(&watcher), place);
        if matches!(place, Place::Live { .. }) {
            live.index.insert(watcher);
        }
        self.hub.counters.watchers.add(1);
    }

    /// An id that is not there gets no answer, as in etcd.
    pub fn cancel(&self, watch_id: i64) {
        let mut live = self.hub.lock();
        let mut inside = self.queue.lock();
        let Some(held) = inside.remove(watch_id) else { return };
        live.index.remove(&held.watcher);
        self.hub.counters.watchers.add(-1);
        self.queue.say(
            &mut inside,
            WatchItem::Canceled {
                watch_id,
                revision: live.revision,
            },
        );
    }

    /// Says how far all watchers are, if all of them are live and have begun; else says nothing.
    pub fn request_progress(&self) {
        let live = self.hub.lock();
        let mut inside = self.queue.lock();
        let revision = live.revision;
        let synced = |held: &Held| matches!(held.place, Place::Live { from } if from <= revision + 1);
        if !inside.watchers.is_empty() && inside.watchers.values().all(synced) {
            self.queue.say(
                &mut inside,
                WatchItem::Progress {
                    watch_id: INVALID_WATCH_ID,
                    revision,
                },
            );
        }
    }

    /// Says how far each watcher is that asked for it and has heard nothing since the last time.
    fn notify_progress(&self) {
        let live = self.hub.lock();
        let mut inside = self.queue.lock();
        let revision = live.revision;
        let mut due = Vec::new();
        for (watch_id, held) in &mut inside.watchers {
            let synced = matches!(held.place, Place::Live { from } if from <= revision + 1);
            if held.watcher.spec.progress_notify && synced && !held.heard {
                due.push(*watch_id);
            }
            held.heard = false;
        }
        for watch_id in due {
            self.queue.say(&mut inside, WatchItem::Progress { watch_id, revision });
        }
    }

    /// What the client is to hear next; None when the member shuts down. `tick` is when progress is due.
    pub async fn next(&self, tick: &mut Instant) -> Option<WatchItem> {
        loop {
            let wake = self.queue.wake.notified();
            let (item, hungry) = self.take();
            if hungry {
                self.catch_up().await;
            }
            if item.is_some() {
                self.queue.room.notify_waiters();
                return item;
            }
            if self.hub.is_closed() {
                return None;
            }
            if !hungry {
                self.rest(wake, tick).await;
            }
        }
    }

    /// The next item, and whether it is time to read history: when the queue has room for it.
    fn take(&self) -> (Option<WatchItem>, bool) {
        let mut inside = self.queue.lock();
        let item = inside.pop();
        (item, inside.behind > 0 && inside.bytes <= self.queue.bytes_max / 2)
    }

    async fn rest(&self, wake: impl Future<Output = ()>, tick: &mut Instant) {
        tokio::select! {
            () = wake => {}
            () = self.hub.closed() => {}
            () = tokio::time::sleep_until(*tick) => {
                *tick = Instant::now() + self.member.config().watch_progress_interval;
                self.notify_progress();
            }
        }
    }
}

impl Drop for WatchStream {
    fn drop(&mut self) {
        let mut live = self.hub.lock();
        let mut inside = self.queue.lock();
        for held in inside.watchers.values() {
            live.index.remove(&held.watcher);
        }
        self.hub.counters.watchers.add(-(inside.watchers.len() as i64));
        self.hub.counters.watch_streams.add(-1);
        while inside.pop().is_some() {}
        let watch_ids: Vec<_> = inside.watchers.keys().copied().collect();
        for watch_id in watch_ids {
            inside.remove(watch_id);
        }
    }
}
