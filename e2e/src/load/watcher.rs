//! Listeners: one collector per member that hears everything, and watchers that come, go and move on.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::connection::Connection;
use super::mix::{FUTURE_REVISIONS, PAST_REVISIONS};
use super::shared::Shared;
use super::stream::{Stream, Wish};
use crate::chance::Chance;
use crate::history::{Key, Span};

const WATCHERS_PER_STREAM_MAX: u64 = 3;
/// How long a watcher stays before its client wants something else.
const STAY_MILLIS: (u64, u64) = (500, 20_000);
/// While draining, progress is asked for this often: etcd drops the question if a watcher lags.
const PROGRESS_PAUSE: Duration = Duration::from_millis(250);
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Hears every change of every key at one member, as long as the run lasts.
pub async fn collect(shared: Arc<Shared>, member: usize) {
    let everything = Wish {
        span: Span::all(),
        start: shared.settings.base + 1,
        prev: true,
    };
    let mut listener = Listener::new(&shared, vec![everything], Connection::new(member));
    listener.collector = true;
    while !listener.is_done() {
        listener.listen(None).await;
    }
}

/// Listens to this and that, and goes on at another member when a stream breaks.
pub async fn roam(shared: Arc<Shared>, mut chance: Chance) {
    while shared.end().borrow().is_none() {
        let member = chance.below(shared.doors.slots() as u64) as usize;
        let mut listener = Listener::new(&shared, wishes(&shared, &mut chance), Connection::new(member));
        listener.progress = Duration::from_millis(chance.between(50, 3_000));
        let until = Instant::now() + Duration::from_millis(chance.between(STAY_MILLIS.0, STAY_MILLIS.1));
        while !listener.is_done() && (Instant::now() < until || shared.end().borrow().is_some()) {
            listener.listen(Some(until)).await;
            let another = chance.below(shared.doors.slots() as u64) as usize;
            listener.connection.turn_to(another);
        }
    }
}

fn wishes(shared: &Shared, chance: &mut Chance) -> Vec<Wish> {
    let count = 1 + chance.below(WATCHERS_PER_STREAM_MAX);
    (0..count).map(|_| wish(shared, chance)).collect()
}

fn wish(shared: &Shared, chance: &mut Chance) -> Wish {
    let key = chance.below(16) as u32;
    let span = match chance.below(6) {
        0 => Span::all(),
        1 | 2 => Span::single(Key(key)),
        _ => Span::new(key, key + 4),
    };
    let newest = shared.newest();
    let start = match chance.below(4) {
        0 => 0,
        // Asked after the newest: the last writes, which come once writing is over, go past what was wished before.
        1 if shared.is_writing() => newest + chance.below(FUTURE_REVISIONS) as i64,
        _ => (newest - chance.below(2 * PAST_REVISIONS) as i64).max(shared.settings.base + 1),
    };
    Wish {
        span,
        start,
        prev: chance.percent(50),
    }
}

struct Listener<'a> {
    shared: &'a Shared,
    wishes: Vec<Wish>,
    connection: Connection,
    collector: bool,
    progress: Duration,
    /// When the end of the run came near.
    draining_since: Option<Instant>,
    gave_up: bool,
}

impl<'a> Listener<'a> {
    fn new(shared: &'a Shared, wishes: Vec<Wish>, connection: Connection) -> Self {
        let progress = Duration::from_secs(2);
        Self {
            shared,
            wishes,
            connection,
            collector: false,
            progress,
            draining_since: None,
            gave_up: false,
        }
    }

    /// Opens a stream and listens until it breaks, its time is over or everything was heard.
    async fn listen(&mut self, until: Option<Instant>) {
        let shared = self.shared;
        let Some(channel) = self.connection.channel(shared).await else {
            return;
        };
        let Ok(mut stream) = Stream::open(shared, channel, self.connection.member, &self.wishes).await else {
            self.connection = Connection::new(self.connection.member);
            return sleep(RETRY_PAUSE).await;
        };
        self.follow(&mut stream, until).await;
        self.wishes = stream.wishes();
    }

    async fn follow(&mut self, stream: &mut Stream<'a>, until: Option<Instant>) {
        let mut asked = Instant::now();
        while !self.is_over(stream, until) {
            let draining = self.shared.end().borrow().is_some();
            let pause = if draining { PROGRESS_PAUSE } else { self.progress };
            match timeout(pause.saturating_sub(asked.elapsed()), stream.hear()).await {
                Ok(Ok(())) => self.collected(stream),
                Ok(Err(_)) => return,
                Err(_) => {
                    asked = Instant::now();
                    if stream.request_progress().is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn collected(&self, stream: &Stream<'_>) {
        if self.collector {
            self.shared.collect(stream.position());
        }
    }

    fn is_over(&mut self, stream: &Stream<'_>, until: Option<Instant>) -> bool {
        let Some(last) = *self.shared.end().borrow() else {
            return until.is_some_and(|until| Instant::now() >= until);
        };
        let since = *self.draining_since.get_or_insert_with(Instant::now);
        let stuck = stream.position() < last && since.elapsed() > super::DRAIN_PATIENCE;
        if stuck {
            let member = self.connection.member;
            self.shared.recorder.broken(format!(
                "m{member} does not tell everything up to revision {last}: {}",
                stream.describe()
            ));
            self.gave_up = true;
        }
        stuck || stream.position() >= last
    }

    /// Everything was heard that there was to hear, or never will be.
    fn is_done(&mut self) -> bool {
        let Some(last) = *self.shared.end().borrow() else {
            return false;
        };
        let since = *self.draining_since.get_or_insert_with(Instant::now);
        self.gave_up |= since.elapsed() > 2 * super::DRAIN_PATIENCE;
        self.gave_up || self.wishes.iter().all(|wish| wish.start > last)
    }
}
