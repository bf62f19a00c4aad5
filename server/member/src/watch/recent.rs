//! The last revisions in memory, so that a watcher a little behind reads no disk.

use std::collections::VecDeque;
use std::sync::Arc;

use taffrail_proto::mvccpb::Event;

use super::watcher::event_bytes;

/// All events of one revision.
pub(super) struct Change {
    pub revision: i64,
    pub events: Vec<Arc<Event>>,
    bytes: usize,
}

impl Change {
    pub fn new(revision: i64, events: &[Event]) -> Self {
        let bytes = events.iter().map(event_bytes).sum();
        Change {
            revision,
            events: events.iter().cloned().map(Arc::new).collect(),
            bytes,
        }
    }
}

pub(super) struct Recent {
    changes: VecDeque<Arc<Change>>,
    bytes: usize,
    bytes_max: usize,
    /// Every change from this revision on is here.
    complete_from: i64,
}

impl Recent {
    /// `revision` is the newest one that is already past.
    pub fn new(revision: i64, bytes_max: usize) -> Self {
        Recent {
            changes: VecDeque::new(),
            bytes: 0,
            bytes_max,
            complete_from: revision + 1,
        }
    }

    pub fn push(&mut self, change: Arc<Change>) {
        self.bytes += change.bytes;
        self.changes.push_back(change);
        while self.bytes > self.bytes_max {
            let Some(oldest) = self.changes.pop_front() else { return };
            self.bytes -= oldest.bytes;
            self.complete_from = oldest.revision + 1;
        }
    }

    /// Changes from revision `from` on, about `bytes_max` of them; None if some of them are gone.
    pub fn since(&self, from: i64, bytes_max: usize) -> Option<Vec<Arc<Change>>> {
        if from < self.complete_from {
            return None;
        }
        let first = self.changes.partition_point(|change| change.revision < from);
        let mut bytes = 0;
        let fits = |change: &&Arc<Change>| {
            let fits = bytes < bytes_max;
            bytes += change.bytes;
            fits
        };
        Some(self.changes.range(first..).take_while(fits).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use taffrail_proto::mvccpb::KeyValue;

    use super::*;

    fn change(revision: i64) -> Arc<Change> {
        let kv = KeyValue {
            key: "k".into(),
            mod_revision: revision,
            ..Default::default()
        };
        Arc::new(Change::new(
            revision,
            &[Event {
                kv: Some(kv),
                ..Default::default()
            }],
        ))
    }

    fn revisions(changes: &[Arc<Change>]) -> Vec<i64> {
        changes.iter().map(|c| c.revision).collect()
    }

    #[test]
    fn gives_what_it_still_has_and_nothing_when_something_is_gone() {
        let bytes_of_one = change(2).bytes;
        let mut recent = Recent::new(1, 3 * bytes_of_one);
        (2..=6).for_each(|revision| recent.push(change(revision)));
        assert_eq!(revisions(&recent.since(4, usize::MAX).expect("4 is there")), [4, 5, 6]);
        assert_eq!(revisions(&recent.since(5, usize::MAX).expect("5 is there")), [5, 6]);
        assert!(recent.since(3, usize::MAX).is_none());
    }

    #[test]
    fn what_was_before_the_start_is_not_there() {
        assert!(Recent::new(9, 1000).since(9, 1000).is_none());
        assert!(
            Recent::new(9, 1000)
                .since(10, 1000)
                .expect("nothing is missing")
                .is_empty()
        );
    }

    #[test]
    fn a_read_gives_at_least_one_change() {
        let mut recent = Recent::new(1, 10_000);
        (2..=6).for_each(|revision| recent.push(change(revision)));
        assert_eq!(revisions(&recent.since(2, 1).expect("2 is there")), [2]);
    }
}
