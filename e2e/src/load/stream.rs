//! A watch stream with a few watchers on it, every response written down.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::channel::mpsc::{UnboundedSender, unbounded};
use taffrail_proto::etcdserverpb::watch_client::WatchClient;
use taffrail_proto::etcdserverpb::watch_request::RequestUnion;
use taffrail_proto::etcdserverpb::{WatchCreateRequest, WatchProgressRequest, WatchRequest, WatchResponse};
use taffrail_proto::mvccpb;
use taffrail_proto::mvccpb::event::EventType;
use tonic::Streaming;
use tonic::transport::Channel;

use super::call;
use super::shared::Shared;
use crate::history::{Event, Heard, News, Record, Span, Watch};
use crate::requests;

const OPEN_PATIENCE: Duration = Duration::from_secs(5);
const RECEIVE_BYTES_MAX: usize = 1 << 28;
/// The watch id of an answer to a progress request.
const EVERYBODY: i64 = -1;

/// What somebody wants to hear, from which revision on; goes from member to member.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    pub span: Span,
    /// 0 is from now on.
    pub start: i64,
    pub prev: bool,
}

/// A wish that a member is fulfilling.
struct Watcher {
    id: u64,
    wish: Wish,
    created: bool,
}

pub struct Stream<'a> {
    shared: &'a Shared,
    requests: UnboundedSender<WatchRequest>,
    responses: Streaming<WatchResponse>,
    watchers: Vec<Watcher>,
}

impl<'a> Stream<'a> {
    /// Opens a stream and asks for all watchers at once.
    pub async fn open(shared: &'a Shared, channel: Channel, member: usize, wishes: &[Wish]) -> Result<Self> {
        let (requests, outgoing) = unbounded();
        let mut watchers = Vec::new();
        for (place, wish) in wishes.iter().enumerate() {
            let watcher = Watcher {
                id: shared.recorder.id(),
                wish: *wish,
                created: false,
            };
            let Wish { span, start, prev } = *wish;
            let watch = Watch {
                id: watcher.id,
                member,
                asked: shared.recorder.clock.now(),
                span,
                start,
                prev,
            };
            shared.recorder.write(&Record::Watch(watch));
            send(&requests, RequestUnion::CreateRequest(create(wish, place)))?;
            watchers.push(watcher);
        }
        let mut client = WatchClient::new(channel).max_decoding_message_size(RECEIVE_BYTES_MAX);
        let opened = tokio::time::timeout(OPEN_PATIENCE, client.watch(outgoing)).await;
        let responses = opened.context("the stream does not open")??.into_inner();
        Ok(Self {
            shared,
            requests,
            responses,
            watchers,
        })
    }

    pub fn request_progress(&self) -> Result<()> {
        send(&self.requests, RequestUnion::ProgressRequest(WatchProgressRequest {}))
    }

    /// What the watchers still want to hear.
    pub fn wishes(&self) -> Vec<Wish> {
        self.watchers.iter().map(|watcher| watcher.wish).collect()
    }

    /// All watchers of the stream have heard everything up to this revision.
    pub fn position(&self) -> i64 {
        let confirmed = self.watchers.iter().all(|watcher| watcher.created);
        let lowest = self.watchers.iter().map(|watcher| watcher.wish.start - 1).min();
        lowest.filter(|_| confirmed).unwrap_or(0)
    }

    pub fn describe(&self) -> String {
        let of = |watcher: &Watcher| {
            format!(
                "watch {} of {} at revision {}",
                watcher.id,
                watcher.wish.span,
                watcher.wish.start - 1
            )
        };
        self.watchers.iter().map(of).collect::<Vec<_>>().join(", ")
    }

    /// Takes one response. Safe to give up while waiting.
    pub async fn hear(&mut self) -> Result<()> {
        let response = self.responses.message().await?.context("the stream ended")?;
        let (at, revision) = (
            self.shared.recorder.clock.now(),
            response.header.as_ref().map_or(0, |header| header.revision),
        );
        self.shared.figures.count_events(response.events.len());
        if response.watch_id == EVERYBODY && !response.canceled {
            self.everybody_progresses(at, revision);
            return Ok(());
        }
        let place = usize::try_from(response.watch_id - 1).ok();
        let watcher = place
            .and_then(|place| self.watchers.get_mut(place))
            .context("a response for nobody")?;
        let news = news(&response);
        let cancelled = matches!(news, News::Cancelled { .. });
        watcher.follow(revision, &news);
        if cancelled {
            watcher.wish.start = watcher.wish.start.max(response.compact_revision);
        }
        self.shared.recorder.write(&Record::Heard(Heard {
            watch: watcher.id,
            at,
            revision,
            news,
        }));
        if cancelled {
            bail!("cancelled: {}", response.cancel_reason);
        }
        Ok(())
    }

    fn everybody_progresses(&mut self, at: u64, revision: i64) {
        for watcher in self.watchers.iter_mut().filter(|watcher| watcher.created) {
            watcher.follow(revision, &News::Progress);
            self.shared.recorder.write(&Record::Heard(Heard {
                watch: watcher.id,
                at,
                revision,
                news: News::Progress,
            }));
        }
    }
}

impl Watcher {
    /// Moves the wish on, past what was heard.
    fn follow(&mut self, revision: i64, news: &News) {
        let heard = match news {
            News::Created => {
                self.created = true;
                if self.wish.start == 0 { revision } else { 0 }
            }
            News::Events(events) => events.last().map_or(0, |event| event.pair.modified),
            News::Progress => revision,
            News::Cancelled { .. } => 0,
        };
        self.wish.start = self.wish.start.max(heard + 1);
    }
}

fn send(requests: &UnboundedSender<WatchRequest>, request: RequestUnion) -> Result<()> {
    let sent = requests.unbounded_send(WatchRequest {
        request_union: Some(request),
    });
    sent.context("the stream is closed")
}

fn create(wish: &Wish, place: usize) -> WatchCreateRequest {
    let (key, end) = wish.span.wire();
    WatchCreateRequest {
        prev_kv: wish.prev,
        progress_notify: wish.prev,
        watch_id: place as i64 + 1,
        ..requests::watch_range(key, end, wish.start)
    }
}

fn news(response: &WatchResponse) -> News {
    if response.canceled {
        News::Cancelled {
            compacted: response.compact_revision,
        }
    } else if response.created {
        News::Created
    } else if response.events.is_empty() {
        News::Progress
    } else {
        News::Events(response.events.iter().map(event).collect())
    }
}

fn event(wire: &mvccpb::Event) -> Event {
    let kv = wire.kv.clone().unwrap_or_default();
    let put = wire.r#type() == EventType::Put;
    let pair = if put { call::pair(&kv) } else { call::tombstone(&kv) };
    Event {
        put,
        pair,
        prev: wire.prev_kv.as_ref().map(call::pair),
    }
}
