//! The changes of every revision, as all watchers together tell them.

use std::collections::HashMap;

use crate::history::{Event, Heard, History, News};

#[derive(Default)]
pub struct Truth {
    /// Sorted by key.
    changes: HashMap<i64, Vec<Event>>,
    pub last: i64,
    /// What watchers were told that does not fit together.
    pub conflicts: Vec<String>,
}

impl Truth {
    pub fn gather(history: &History) -> Self {
        let mut truth = Self::default();
        for heard in &history.heard {
            if let News::Events(events) = &heard.news {
                events.iter().for_each(|event| truth.hear(heard, event));
            }
        }
        truth
    }

    fn hear(&mut self, heard: &Heard, event: &Event) {
        let revision = event.pair.modified;
        self.last = self.last.max(revision);
        let events = self.changes.entry(revision).or_default();
        match events.binary_search_by_key(&event.pair.key, |known| known.pair.key) {
            Err(place) => events.insert(place, *event),
            Ok(place) if same_change(&events[place], event) => {}
            Ok(place) => {
                let text = format!(
                    "revision {revision}: watch {} was told {event}, another {}",
                    heard.watch, events[place]
                );
                self.conflicts.push(text);
            }
        }
    }

    pub fn take(&mut self, revision: i64) -> Option<Vec<Event>> {
        self.changes.remove(&revision)
    }
}

/// Previous pairs are a matter of the watcher's wish.
fn same_change(one: &Event, other: &Event) -> bool {
    one.put == other.put && one.pair == other.pair
}
