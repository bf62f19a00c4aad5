//! A history that begins in the middle, told as if the cluster had begun there.

use super::{Answer, Body, Event, Heard, History, News, Operation, Outcome, Pair, Request, Step, Target, Txn, Watch};

/// Revisions up to the base are one: the empty beginning.
#[derive(Clone, Copy)]
struct Base(i64);

impl History {
    /// The same with `base` as revision 1. At `base` there was none of the keys that the history is about.
    pub fn since(mut self, base: i64) -> Self {
        let base = Base(base);
        // A member that is behind may tell of times before.
        self.operations
            .retain(|operation| operation.answer().is_none_or(|answer| !base.is_after(answer.revision)));
        self.operations
            .iter_mut()
            .for_each(|operation| base.operation(operation));
        self.watches
            .iter_mut()
            .for_each(|Watch { start, .. }| base.shift(start));
        self.heard.retain_mut(|heard| base.is_of_the_run(heard));
        self.heard.iter_mut().for_each(|heard| base.heard(heard));
        self
    }
}

impl Base {
    fn is_after(self, revision: i64) -> bool {
        revision < self.0
    }

    /// A watcher of a member that is behind hears how the base came to be, too.
    fn is_of_the_run(self, heard: &mut Heard) -> bool {
        let News::Events(events) = &mut heard.news else {
            return !self.is_after(heard.revision);
        };
        events.retain(|event| event.pair.modified > self.0);
        !events.is_empty()
    }

    /// 0 and below mean something else than a revision.
    fn shift(self, revision: &mut i64) {
        if *revision > 0 {
            *revision -= self.0 - 1;
        }
    }

    fn operation(self, operation: &mut Operation) {
        self.request(&mut operation.request);
        if let Outcome::Ok(Answer { revision, body }) = &mut operation.outcome {
            self.shift(revision);
            self.body(body);
        }
    }

    fn request(self, request: &mut Request) {
        match request {
            Request::Range(range) => self.shift(&mut range.revision),
            Request::Compact { revision } | Request::Hash { revision } => self.shift(revision),
            Request::Txn(txn) => self.txn(txn),
            Request::Put(_) | Request::Delete(_) => {}
            Request::Grant { .. } | Request::KeepAlive { .. } | Request::Revoke { .. } => {}
        }
    }

    fn txn(self, txn: &mut Txn) {
        for compare in &mut txn.compares {
            if let Target::Modified(revision) | Target::Created(revision) = &mut compare.target {
                self.shift(revision);
            }
        }
        for step in txn.success.iter_mut().chain(&mut txn.failure) {
            if let Step::Range(range) = step {
                self.shift(&mut range.revision);
            }
        }
    }

    fn body(self, body: &mut Body) {
        match body {
            Body::Put { prev } => prev.iter_mut().for_each(|pair| self.pair(pair)),
            Body::Delete { prev: pairs, .. } | Body::Range { pairs, .. } => {
                pairs.iter_mut().for_each(|pair| self.pair(pair))
            }
            Body::Txn { steps, .. } => steps.iter_mut().for_each(|step| self.body(step)),
            Body::Hash { compacted, .. } => self.shift(compacted),
            Body::Lease { .. } | Body::Done => {}
        }
    }

    fn pair(self, pair: &mut Pair) {
        self.shift(&mut pair.created);
        self.shift(&mut pair.modified);
    }

    fn heard(self, heard: &mut Heard) {
        self.shift(&mut heard.revision);
        match &mut heard.news {
            News::Events(events) => events.iter_mut().for_each(|Event { pair, prev, .. }| {
                self.pair(pair);
                prev.iter_mut().for_each(|pair| self.pair(pair));
            }),
            News::Cancelled { compacted } => self.shift(compacted),
            News::Created | News::Progress => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Key;

    fn event(put: bool, modified: i64) -> Event {
        let (created, version) = if put { (modified, 1) } else { (0, 0) };
        let pair = Pair {
            key: Key(8),
            value: 0,
            created,
            modified,
            version,
            lease: 0,
        };
        Event { put, pair, prev: None }
    }

    fn heard(revision: i64, news: News) -> Heard {
        Heard {
            watch: 1,
            at: 1,
            revision,
            news,
        }
    }

    #[test]
    fn what_made_the_base_is_not_of_the_run() {
        let whole = History {
            heard: vec![
                heard(94, News::Created),
                heard(95, News::Events(vec![event(false, 95)])),
                heard(96, News::Events(vec![event(false, 95), event(true, 96)])),
                heard(96, News::Progress),
            ],
            ..History::default()
        };
        let run = whole.since(95);
        let events: Vec<_> = run.heard.iter().map(|heard| (heard.revision, &heard.news)).collect();
        assert!(
            matches!(&events[..], [(2, News::Events(events)), (2, News::Progress)]
                if *events == [event(true, 2)]),
            "{events:?}"
        );
    }
}
