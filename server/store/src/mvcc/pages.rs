//! States that somebody is paging through: the next page at that revision is read from the pinned state, as cheaply
//! as the first one was.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::pinned::Pinned;

const PINNED_MAX: usize = 16;
/// A pinned state keeps the engine from forgetting overwritten versions, so it is let go after so many revisions.
const REVISIONS_BEHIND_MAX: i64 = 1_000_000;

#[derive(Default)]
pub(crate) struct Pages {
    pinned: Mutex<VecDeque<Arc<Pinned>>>,
}

impl Pages {
    /// If it `is_live` when nobody can [clear](Self::clear) the list.
    pub(crate) fn remember(&self, page: &Arc<Pinned>, is_live: impl FnOnce() -> bool) {
        self.with(|pinned| {
            if !is_live() || pinned.iter().any(|known| known.state.revision == page.state.revision) {
                return;
            }
            if pinned.len() == PINNED_MAX {
                pinned.pop_front();
            }
            pinned.push_back(page.clone());
        });
    }

    pub(crate) fn at(&self, revision: i64) -> Option<Arc<Pinned>> {
        self.with(|pinned| pinned.iter().find(|known| known.state.revision == revision).cloned())
    }

    /// Lets go what nobody may read or is likely to read any more.
    pub(crate) fn forget(&self, floor: i64, newest: i64) {
        let oldest = floor.max(newest - REVISIONS_BEHIND_MAX);
        self.with(|pinned| pinned.retain(|known| known.state.revision >= oldest));
    }

    pub(crate) fn clear(&self) {
        self.with(VecDeque::clear);
    }

    fn with<T>(&self, act: impl FnOnce(&mut VecDeque<Arc<Pinned>>) -> T) -> T {
        // The list is whole whatever panicked while holding it.
        act(&mut self.pinned.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
