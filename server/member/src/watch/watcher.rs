//! One watch on one stream.

use std::sync::Arc;

use taffrail_proto::mvccpb::Event;
use taffrail_proto::mvccpb::event::EventType;

use super::stream::Queue;
use super::{WatchItem, WatchSpec};

/// What never changes about a watcher; where it stands is the stream's knowledge.
pub(super) struct Watcher {
    /// Unique in the process.
    pub serial: u64,
    pub watch_id: i64,
    pub spec: WatchSpec,
    pub stream: Arc<Queue>,
}

/// Where a watcher stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Hears of every revision from `from` on as it is applied.
    Live { from: i64 },
    /// Has everything below `next`, and must read history from there.
    Behind { next: i64 },
    /// What it needs is compacted; waits for the client to cancel it.
    Compacted,
}

impl Watcher {
    /// Whether the client wants to hear of this event. The key is already known to be in range.
    pub fn wants(&self, event: &Event) -> bool {
        match event.r#type() {
            EventType::Put => !self.spec.no_put,
            EventType::Delete => !self.spec.no_delete,
        }
    }

    pub fn wants_key_and_kind(&self, event: &Event) -> bool {
        event.kv.as_ref().is_some_and(|kv| self.spec.range.contains(&kv.key)) && self.wants(event)
    }

    pub fn events(&self, revision: i64, events: Vec<Arc<Event>>) -> WatchItem {
        WatchItem::Events {
            watch_id: self.watch_id,
            revision,
            events,
            prev_kv: self.spec.prev_kv,
            fragment: self.spec.fragment,
        }
    }
}

/// What an event holds in memory, near enough for a bound.
pub(super) fn event_bytes(event: &Event) -> usize {
    const OVERHEAD_BYTES: usize = 160;
    let kv_bytes = |kv: &taffrail_proto::mvccpb::KeyValue| kv.key.len() + kv.value.len();
    OVERHEAD_BYTES + event.kv.as_ref().map_or(0, kv_bytes) + event.prev_kv.as_ref().map_or(0, kv_bytes)
}
