//! One upstream watcher and who listens to it: what is to be told to whom.

use std::sync::Arc;

use taffrail_proto::etcdserverpb::{WatchRequest, WatchResponse};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::ear::{Ear, Outlet, Said};
use super::subject::progress;

pub struct Feed {
    pub id: u64,
    /// What the first ear asked for; 0 is from now on.
    pub start: i64,
    /// Everything below was told to all ears.
    pub next: i64,
    /// The member has confirmed it.
    pub started: bool,
    pub ears: Vec<Ear>,
    pub upstream: Option<mpsc::Sender<WatchRequest>>,
    pub task: Option<AbortHandle>,
}

/// Something for one stream.
pub struct Delivery {
    pub to: Arc<Outlet>,
    pub said: Said,
}

/// What follows from a response.
pub struct Outcome {
    pub deliveries: Vec<Delivery>,
    pub over: bool,
}

impl Feed {
    /// Takes a response of the member into account.
    pub fn hear(&mut self, response: &WatchResponse) -> Outcome {
        let deliveries = match response {
            response if response.canceled => self.ended(response),
            response if response.created => self.created(response),
            response if response.events.is_empty() => self.progressed(response),
            response => self.changed(response),
        };
        Outcome {
            deliveries,
            over: response.canceled,
        }
    }

    /// Who has a watcher already hears that it ends, not that it could not be made again.
    fn ended(&self, response: &WatchResponse) -> Vec<Delivery> {
        self.all(&WatchResponse {
            created: response.created && !self.started,
            ..response.clone()
        })
    }

    /// A watcher that was made again after its connection broke is nobody's news.
    fn created(&mut self, response: &WatchResponse) -> Vec<Delivery> {
        if std::mem::replace(&mut self.started, true) {
            return Vec::new();
        }
        let now = response.header.unwrap_or_default().revision;
        self.next = if self.start > 0 { self.start } else { now + 1 };
        self.pass();
        self.all(response)
    }

    fn progressed(&mut self, response: &WatchResponse) -> Vec<Delivery> {
        let told = self.ears.iter_mut().filter_map(|ear| {
            let said = ear.progress(response)?;
            Some(delivery(ear, said))
        });
        let told = told.collect();
        self.next = self.next.max(response.header.unwrap_or_default().revision + 1);
        self.pass();
        told
    }

    fn changed(&mut self, response: &WatchResponse) -> Vec<Delivery> {
        let told = self.ears.iter().filter_map(|ear| {
            let events = ear.events(response)?;
            Some(delivery(ear, Said::Response(events)))
        });
        let told = told.collect();
        let revisions = response.events.iter().filter_map(|event| event.kv.as_ref());
        let last = revisions.map(|kv| kv.mod_revision).max().unwrap_or(0);
        self.next = self.next.max(last + 1);
        self.pass();
        told
    }

    fn all(&self, response: &WatchResponse) -> Vec<Delivery> {
        let told = self
            .ears
            .iter()
            .map(|ear| delivery(ear, Said::Response(ear.answer(response))));
        told.collect()
    }

    fn pass(&mut self) {
        let next = self.next;
        self.ears.iter_mut().for_each(|ear| ear.next = ear.next.max(next));
    }

    /// Whether ears of a feed that stands at `next` miss nothing here.
    pub fn serves(&self, next: i64) -> bool {
        self.started && self.next <= next
    }

    pub fn adopt(&mut self, ears: Vec<Ear>) {
        let asked = ears.iter().any(|ear| ear.asked_progress);
        self.ears.extend(ears);
        if asked {
            self.ask_progress();
        }
    }

    /// A question that does not fit is lost: whoever wants to know asks again.
    pub fn ask_progress(&self) {
        if let Some(upstream) = &self.upstream {
            let _ = upstream.try_send(progress());
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

fn delivery(ear: &Ear, said: Said) -> Delivery {
    Delivery {
        to: ear.outlet.clone(),
        said,
    }
}

#[cfg(test)]
mod tests {
    use super::super::ear::Wants;
    use super::super::ear::tests::{at, changes, ear};
    use super::*;

    fn feed(start: i64) -> Feed {
        Feed {
            id: 1,
            start,
            next: 0,
            started: false,
            ears: vec![ear(0, Wants::default()).0],
            upstream: None,
            task: None,
        }
    }

    fn created(revision: i64) -> WatchResponse {
        WatchResponse {
            created: true,
            ..at(revision)
        }
    }

    #[test]
    fn a_feed_from_now_on_begins_behind_the_revision_it_was_made_at() {
        let mut feed = feed(0);
        assert_eq!(feed.hear(&created(10)).deliveries.len(), 1);
        assert!(feed.serves(11) && !feed.serves(10));
        assert!(feed.hear(&created(12)).deliveries.is_empty());
    }

    #[test]
    fn history_is_told_before_the_feed_counts_as_further() {
        let mut feed = feed(5);
        assert!(!feed.serves(100));
        feed.hear(&created(10));
        assert!(feed.serves(5));
        assert_eq!(feed.hear(&changes(&[(0, 6), (0, 8)])).deliveries.len(), 1);
        assert_eq!((feed.next, feed.ears[0].next), (9, 9));
        feed.hear(&WatchResponse { watch_id: -1, ..at(10) });
        assert_eq!(feed.next, 11);
    }

    #[test]
    fn the_end_is_told_to_all() {
        let mut feed = feed(5);
        feed.hear(&created(10));
        feed.adopt(vec![ear(11, Wants::default()).0]);
        let canceled = WatchResponse {
            canceled: true,
            compact_revision: 9,
            ..at(10)
        };
        let Outcome { deliveries, over } = feed.hear(&canceled);
        assert!(over && deliveries.len() == 2);
    }

    #[test]
    fn a_watcher_that_cannot_be_made_again_ends() {
        let mut feed = feed(5);
        feed.hear(&created(10));
        let refused = WatchResponse {
            canceled: true,
            ..created(12)
        };
        let told = feed.hear(&refused).deliveries;
        assert!(matches!(&told[0].said, Said::Response(end) if end.canceled && !end.created && end.watch_id == 7));
    }

    #[test]
    fn an_adopted_ear_does_not_hear_things_twice() {
        let mut feed = feed(5);
        feed.hear(&created(10));
        feed.adopt(vec![ear(8, Wants::default()).0]);
        assert_eq!(feed.hear(&changes(&[(0, 6)])).deliveries.len(), 1);
        assert_eq!(feed.hear(&changes(&[(0, 8)])).deliveries.len(), 2);
    }
}
