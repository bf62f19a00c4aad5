//! All feeds, by what they are about.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use taffrail_proto::etcdserverpb::{WatchRequest, WatchResponse};
use tokio::sync::mpsc;
use tonic::Status;

use super::ear::{Ear, Said};
use super::feed::{Delivery, Feed, Outcome};
use super::subject::Subject;
use super::upstream;
use crate::grpc_proxy::counts::Counts;
use crate::remote::Remote;

pub struct Hub {
    pub remote: Arc<Remote>,
    counts: Arc<Counts>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last_id: u64,
    feeds: HashMap<Subject, Vec<Feed>>,
}

impl State {
    fn feed(&mut self, subject: &Subject, id: u64) -> Option<&mut Feed> {
        self.feeds.get_mut(subject)?.iter_mut().find(|feed| feed.id == id)
    }

    fn take(&mut self, subject: &Subject, id: u64) -> Option<Feed> {
        let feeds = self.feeds.get_mut(subject)?;
        let index = feeds.iter().position(|feed| feed.id == id)?;
        let feed = feeds.swap_remove(index);
        if feeds.is_empty() {
            self.feeds.remove(subject);
        }
        Some(feed)
    }
}

impl Hub {
    pub fn new(remote: Arc<Remote>, counts: Arc<Counts>) -> Arc<Self> {
        Arc::new(Hub {
            remote,
            counts,
            state: Mutex::default(),
        })
    }

    /// A panic of another task leaves nothing half done: every change is made by one call.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a feed for `ear`; what becomes of it is told through the ear.
    pub fn add(self: &Arc<Self>, subject: Subject, start: i64, ear: Ear) {
        let mut state = self.state();
        state.last_id += 1;
        let id = state.last_id;
        let task = tokio::spawn(upstream::run(self.clone(), subject.clone(), id));
        state.feeds.entry(subject).or_default().push(Feed {
            id,
            start,
            next: 0,
            started: false,
            ears: vec![ear],
            upstream: None,
            task: Some(task.abort_handle()),
        });
    }

    /// A feed without ears ends, and the upstream watcher with it.
    pub fn remove(&self, subject: &Subject, stream_id: u64, watch_id: i64) {
        let mut state = self.state();
        let Some(feeds) = state.feeds.get_mut(subject) else {
            return;
        };
        for feed in feeds.iter_mut() {
            feed.ears
                .retain(|ear| (ear.outlet.stream_id, ear.watch_id) != (stream_id, watch_id));
        }
        feeds.retain(|feed| !feed.ears.is_empty());
        if feeds.is_empty() {
            state.feeds.remove(subject);
        }
    }

    pub fn ask_progress(&self, subject: &Subject, stream_id: u64, watch_id: i64) {
        let mut state = self.state();
        for feed in state.feeds.get_mut(subject).into_iter().flatten() {
            let ear = feed
                .ears
                .iter_mut()
                .find(|ear| (ear.outlet.stream_id, ear.watch_id) == (stream_id, watch_id));
            if let Some(ear) = ear {
                ear.asked_progress = true;
                return feed.ask_progress();
            }
        }
    }

    /// From where a feed is to be asked for, through `upstream`. None if nobody listens to it any more.
    pub fn open(&self, subject: &Subject, id: u64, upstream: mpsc::Sender<WatchRequest>) -> Option<i64> {
        let mut state = self.state();
        let feed = state.feed(subject, id)?;
        feed.upstream = Some(upstream);
        Some(if feed.started { feed.next } else { feed.start })
    }

    /// What is to be told to whom; the feed goes with its end.
    pub fn hear(&self, subject: &Subject, id: u64, response: &WatchResponse) -> Option<Outcome> {
        let mut state = self.state();
        let feed = state.feed(subject, id)?;
        let outcome = feed.hear(response);
        let shared = (feed.ears.len() as u64).saturating_sub(1);
        self.counts.events_coalescing.fetch_add(shared, Relaxed);
        if outcome.over {
            disarm(state.take(subject, id));
        }
        Some(outcome)
    }

    /// Gives the ears of a feed to another one that is not ahead of it. To be called once all it heard was told.
    pub fn merge(&self, subject: &Subject, id: u64) -> bool {
        let mut state = self.state();
        let Some(next) = state
            .feed(subject, id)
            .filter(|feed| feed.started)
            .map(|feed| feed.next)
        else {
            return false;
        };
        let feeds = state.feeds.get(subject).into_iter().flatten();
        let Some(other) = feeds
            .filter(|feed| feed.id != id && feed.serves(next))
            .map(|feed| feed.id)
            .min()
        else {
            return false;
        };
        let mut merged = state.take(subject, id).expect("it was found under the same lock");
        let ears = std::mem::take(&mut merged.ears);
        disarm(Some(merged));
        let other = state.feed(subject, other).expect("it was found under the same lock");
        other.adopt(ears);
        true
    }

    /// Ends a feed, and the streams of whoever listens to it.
    pub fn fail(&self, subject: &Subject, id: u64, status: &Status) -> Vec<Delivery> {
        let Some(mut feed) = self.state().take(subject, id) else {
            return Vec::new();
        };
        let ears = std::mem::take(&mut feed.ears);
        disarm(Some(feed));
        let told = ears.into_iter().map(|ear| Delivery {
            to: ear.outlet,
            said: Said::Failed(status.clone()),
        });
        told.collect()
    }

    /// Watchers that have no upstream watcher of their own.
    pub fn coalesced(&self) -> u64 {
        let state = self.state();
        let feeds = state.feeds.values().flatten();
        feeds.map(|feed| (feed.ears.len() as u64).saturating_sub(1)).sum()
    }
}

/// A feed that is ended by its own task must not end the task, which has things left to do.
fn disarm(feed: Option<Feed>) {
    if let Some(mut feed) = feed {
        feed.task = None;
    }
}
