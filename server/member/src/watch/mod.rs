//! Events, from the apply thread to the clients that asked for them.
//!
//! A watcher is *live* (the [`Hub`] hands it each revision as it is applied) or *behind* (its stream reads history
//! for it). A stream holds a bounded queue; where a live watcher's events do not fit, the watcher falls behind and
//! is given nothing until its client reads on. So a stalled client costs its queue and nothing else, loses nothing,
//! and slows nobody. Catching up happens when the client pulls, in the client's own task.
//!
//! Order of locks: the hub's, then a stream's.

mod catchup;
mod hub;
mod index;
mod recent;
mod stream;
mod watcher;

use std::sync::Arc;

use taffrail_proto::mvccpb::Event;

use crate::KeyRange;

pub(crate) use hub::Hub;
pub use stream::WatchStream;

/// What a client asks for.
#[derive(Debug, Clone)]
pub struct WatchSpec {
    pub range: KeyRange,
    /// First revision wanted; 0 means whatever comes next.
    pub start_revision: i64,
    /// The client's own id; 0 lets the stream pick one.
    pub watch_id: i64,
    pub progress_notify: bool,
    pub no_put: bool,
    pub no_delete: bool,
    pub prev_kv: bool,
    pub fragment: bool,
}

/// What a stream says, in order.
#[derive(Debug, Clone)]
pub enum WatchItem {
    Created {
        watch_id: i64,
        revision: i64,
    },
    /// The watch was not created; the stream goes on.
    Refused {
        revision: i64,
        reason: &'static str,
    },
    /// The client's own cancel, confirmed.
    Canceled {
        watch_id: i64,
        revision: i64,
    },
    /// The events this watcher still needed are compacted. The id stays taken until the client cancels it.
    Compacted {
        watch_id: i64,
        compact_revision: i64,
    },
    /// Whole revisions in order. `revision` is that of the store when the events were found.
    Events {
        watch_id: i64,
        revision: i64,
        events: Vec<Arc<Event>>,
        prev_kv: bool,
        fragment: bool,
    },
    /// Everything up to `revision` has been said; id -1 speaks for all watchers of the stream.
    Progress {
        watch_id: i64,
        revision: i64,
    },
}

/// The id that speaks for a whole stream, or for a watch that was not created.
pub const INVALID_WATCH_ID: i64 = -1;
