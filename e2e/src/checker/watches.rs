//! What each watcher heard, against the sequence of changes.

use std::collections::{HashMap, HashSet};

use super::compactions::Compactions;
use super::model::Change;
use super::replay::Replayed;
use super::report::{Law, Report};
use crate::history::{Event, Heard, History, Key, News, Watch};

pub fn check(history: &History, replayed: &Replayed, compactions: &Compactions, report: &mut Report) {
    let mut heard: HashMap<u64, Vec<&Heard>> = HashMap::new();
    for response in &history.heard {
        heard.entry(response.watch).or_default().push(response);
    }
    for watch in &history.watches {
        let mut listener = Listener::new(watch, replayed, compactions);
        heard
            .remove(&watch.id)
            .unwrap_or_default()
            .into_iter()
            .for_each(|response| listener.hear(response, report));
        listener.close(Law::WatchIsComplete, report);
    }
}

/// Follows one watcher: everything before `revision` has been told, and of `revision` itself these keys.
struct Listener<'a> {
    watch: &'a Watch,
    replayed: &'a Replayed,
    compactions: &'a Compactions,
    revision: i64,
    keys: HashSet<Key>,
    /// Changes that were due but came not, and that may come late.
    missing: HashSet<(i64, Key)>,
    last_event: i64,
    /// A watcher from now on has not been told anything yet.
    open: bool,
}

impl<'a> Listener<'a> {
    fn new(watch: &'a Watch, replayed: &'a Replayed, compactions: &'a Compactions) -> Self {
        Self {
            watch,
            replayed,
            compactions,
            revision: watch.start - 1,
            keys: HashSet::new(),
            missing: HashSet::new(),
            last_event: 0,
            open: watch.start == 0,
        }
    }

    fn hear(&mut self, heard: &Heard, report: &mut Report) {
        match &heard.news {
            News::Created if self.watch.start == 0 => self.revision = heard.revision,
            News::Created => {}
            News::Events(events) => {
                self.begin(events);
                self.events(heard, events, report);
            }
            News::Progress => self.progress(heard.revision, report),
            News::Cancelled { compacted } => self.cancelled(heard, *compacted, report),
        }
    }

    /// What is written while a watcher from now on is being confirmed may be told, and from there on all of it:
    /// etcd 3.6 reads the revision that it confirms after the watcher has begun.
    fn begin(&mut self, events: &[Event]) {
        if let Some(first) = events.first().filter(|_| std::mem::take(&mut self.open)) {
            self.revision = self.revision.min(first.pair.modified - 1);
        }
    }

    fn events(&mut self, heard: &Heard, events: &[Event], report: &mut Report) {
        let (before, mut split) = (self.last_event, false);
        for event in events {
            let revision = event.pair.modified;
            self.check_event(heard, event, report);
            if revision > self.revision {
                self.advance(revision, Law::WatchIsComplete, report);
                self.keys.insert(event.pair.key);
            } else if revision < self.revision || self.last_event != revision {
                self.late(event, report);
            } else if !self.keys.insert(event.pair.key) {
                self.tell(report, Law::WatchTellsOnce, &format!("told again of {event}"));
            } else if revision == before && !split {
                split = true;
                self.tell(
                    report,
                    Law::WatchIsAtomic,
                    &format!("revision {revision} came in two responses"),
                );
            }
            self.last_event = self.last_event.max(revision);
        }
    }

    fn late(&mut self, event: &Event, report: &mut Report) {
        let law = if self.missing.remove(&(event.pair.modified, event.pair.key)) {
            Law::WatchIsOrdered
        } else {
            Law::WatchTellsOnce
        };
        self.tell(
            report,
            law,
            &format!("was past revision {} when told of {event}", self.revision),
        );
    }

    fn check_event(&self, heard: &Heard, event: &Event, report: &mut Report) {
        let revision = event.pair.modified;
        let changes = self.changes(revision);
        let change = changes.iter().find(|change| change.key == event.pair.key);
        let told = event.put.then_some(event.pair);
        if !change.is_some_and(|change| change.after == told) || !self.watch.span.contains(event.pair.key) {
            self.tell(
                report,
                Law::WatchIsTrue,
                &format!("told of {event}, which is no change of revision {revision}"),
            );
        }
        if let Some(change) = change.filter(|change| !self.previous_is_right(heard, event, change)) {
            let before = change.before.map_or("nothing".to_owned(), |pair| pair.to_string());
            self.tell(
                report,
                Law::WatchIsTrue,
                &format!("told of {event}, but there was {before} before"),
            );
        }
        if self
            .replayed
            .asked
            .get(revision as usize)
            .is_some_and(|&asked| asked > heard.at)
        {
            self.tell(
                report,
                Law::NotFromTheFuture,
                &format!("told of {event} before it was asked for"),
            );
        }
    }

    /// A previous pair that has been compacted away is left out.
    fn previous_is_right(&self, heard: &Heard, event: &Event, change: &Change) -> bool {
        match event.prev {
            Some(_) => self.watch.prev && event.prev == change.before,
            None if !self.watch.prev || change.before.is_none() => true,
            None => self.compactions.highest_asked_by(heard.at) >= event.pair.modified,
        }
    }

    fn progress(&mut self, revision: i64, report: &mut Report) {
        self.open = false;
        if revision < self.last_event {
            self.tell(
                report,
                Law::WatchIsOrdered,
                &format!("progress went back to revision {revision}"),
            );
        }
        if revision > self.revision {
            self.advance(revision, Law::ProgressIsNotAhead, report);
            for key in self.due(revision).collect::<Vec<_>>() {
                self.miss(revision, key, Law::ProgressIsNotAhead, report);
            }
        }
    }

    fn cancelled(&self, heard: &Heard, compacted: i64, report: &mut Report) {
        if compacted > self.compactions.highest_asked_by(heard.at) {
            self.tell(
                report,
                Law::WatchEndsWithReason,
                &format!("ended by a compaction at {compacted} that nobody asked for"),
            );
        } else if compacted > 0 && compacted <= self.revision + 1 {
            self.tell(
                report,
                Law::WatchEndsWithReason,
                &format!("needs nothing below the compaction at {compacted}"),
            );
        }
    }

    /// Goes on to a later revision; whatever was due before it is missing.
    fn advance(&mut self, revision: i64, law: Law, report: &mut Report) {
        self.close(law, report);
        for between in self.revision + 1..revision {
            for key in self.due(between).collect::<Vec<_>>() {
                self.miss(between, key, law, report);
            }
        }
        self.revision = revision;
        self.keys.clear();
    }

    /// The rest of the revision that was begun.
    fn close(&mut self, law: Law, report: &mut Report) {
        if self.last_event == self.revision && self.last_event >= self.watch.start {
            let left: Vec<_> = self.due(self.revision).filter(|key| !self.keys.contains(key)).collect();
            left.into_iter()
                .for_each(|key| self.miss(self.revision, key, law, report));
        }
    }

    fn miss(&mut self, revision: i64, key: Key, law: Law, report: &mut Report) {
        if self.missing.insert((revision, key)) {
            self.tell(report, law, &format!("was not told of {key} at revision {revision}"));
        }
    }

    fn due(&self, revision: i64) -> impl Iterator<Item = Key> {
        let span = self.watch.span;
        self.changes(revision)
            .iter()
            .map(|change| change.key)
            .filter(move |&key| span.contains(key))
    }

    fn changes(&self, revision: i64) -> &'a [Change] {
        self.replayed.changes.get(revision as usize).map_or(&[], Vec::as_slice)
    }

    fn tell(&self, report: &mut Report, law: Law, what: &str) {
        let Watch {
            id,
            member,
            span,
            start,
            ..
        } = self.watch;
        report.add(
            law,
            format!("watch {id} at m{member} of {span} from revision {start} {what}"),
        );
    }
}
