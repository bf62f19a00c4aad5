//! One client's watcher: what of a feed it wants to hear.

use std::sync::Arc;

use taffrail_proto::etcdserverpb::watch_create_request::FilterType;
use taffrail_proto::etcdserverpb::{ResponseHeader, WatchCreateRequest, WatchResponse};
use taffrail_proto::mvccpb::Event;
use tokio::sync::{Notify, mpsc};
use tonic::Status;

/// Responses that wait for one client.
pub const QUEUE_RESPONSES_MAX: usize = 1024;

/// What a stream is told.
#[derive(Debug)]
pub enum Said {
    Response(WatchResponse),
    /// An answer to a question for progress: all up to the header's revision has been said.
    Progressed(i64, ResponseHeader),
    /// The stream cannot go on.
    Failed(Status),
}

/// Where a client's stream is told things.
pub struct Outlet {
    pub stream_id: u64,
    pub queue: mpsc::Sender<Said>,
    /// Told when the queue was full for too long.
    pub too_slow: Notify,
}

/// What the client asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wants {
    pub prev_kv: bool,
    pub progress: bool,
    pub no_puts: bool,
    pub no_deletes: bool,
}

pub struct Ear {
    pub outlet: Arc<Outlet>,
    pub watch_id: i64,
    pub wants: Wants,
    /// Everything below was heard, or is not wanted.
    pub next: i64,
    /// The client has asked how far this is.
    pub asked_progress: bool,
}

impl Wants {
    pub fn of(request: &WatchCreateRequest) -> Self {
        let without = |kind: FilterType| request.filters.contains(&(kind as i32));
        Wants {
            prev_kv: request.prev_kv,
            progress: request.progress_notify,
            no_puts: without(FilterType::Noput),
            no_deletes: without(FilterType::Nodelete),
        }
    }

    fn is_wanted(&self, event: &Event) -> bool {
        // 0 is a put, 1 a delete (mvccpb).
        !(if event.r#type == 0 {
            self.no_puts
        } else {
            self.no_deletes
        })
    }
}

impl Ear {
    /// Events that are new and wanted; none if there are none.
    pub fn events(&self, response: &WatchResponse) -> Option<WatchResponse> {
        let revision = |event: &Event| event.kv.as_ref().map_or(0, |kv| kv.mod_revision);
        let wanted = response
            .events
            .iter()
            .filter(|event| revision(event) >= self.next && self.wants.is_wanted(event));
        let events: Vec<Event> = wanted.cloned().map(|event| self.stripped(event)).collect();
        (!events.is_empty()).then(|| WatchResponse {
            events,
            ..self.answer(response)
        })
    }

    fn stripped(&self, mut event: Event) -> Event {
        if !self.wants.prev_kv {
            event.prev_kv = None;
        }
        event
    }

    /// How far the feed is: an answer if that was asked, a notification if such are wanted and it is news.
    pub fn progress(&mut self, response: &WatchResponse) -> Option<Said> {
        let header = response.header?;
        if std::mem::take(&mut self.asked_progress) && response.watch_id < 0 {
            return Some(Said::Progressed(self.watch_id, header));
        }
        let is_news = self.wants.progress && response.watch_id >= 0 && header.revision + 1 >= self.next;
        is_news.then(|| Said::Response(self.answer(response)))
    }

    /// The same for this watcher, without events.
    pub fn answer(&self, response: &WatchResponse) -> WatchResponse {
        WatchResponse {
            header: response.header,
            watch_id: self.watch_id,
            created: response.created,
            canceled: response.canceled,
            compact_revision: response.compact_revision,
            cancel_reason: response.cancel_reason.clone(),
            ..WatchResponse::default()
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use taffrail_proto::mvccpb::KeyValue;

    use super::*;

    pub fn ear(next: i64, wants: Wants) -> (Ear, mpsc::Receiver<Said>) {
        let (queue, heard) = mpsc::channel(8);
        let outlet = Outlet {
            stream_id: 1,
            queue,
            too_slow: Notify::new(),
        };
        let ear = Ear {
            outlet: Arc::new(outlet),
            watch_id: 7,
            wants,
            next,
            asked_progress: false,
        };
        (ear, heard)
    }

    pub fn changes(kinds: &[(i32, i64)]) -> WatchResponse {
        let event = |(kind, revision): &(i32, i64)| {
            let kv = KeyValue {
                mod_revision: *revision,
                ..KeyValue::default()
            };
            Event {
                r#type: *kind,
                kv: Some(kv.clone()),
                prev_kv: Some(kv),
            }
        };
        WatchResponse {
            events: kinds.iter().map(event).collect(),
            ..at(kinds.last().map_or(0, |last| last.1))
        }
    }

    pub fn at(revision: i64) -> WatchResponse {
        let header = ResponseHeader {
            revision,
            ..ResponseHeader::default()
        };
        WatchResponse {
            header: Some(header),
            ..WatchResponse::default()
        }
    }

    fn revisions(response: Option<WatchResponse>) -> Vec<i64> {
        let events = response.map_or(Vec::new(), |response| response.events);
        events
            .iter()
            .map(|event| event.kv.as_ref().map_or(0, |kv| kv.mod_revision))
            .collect()
    }

    #[test]
    fn only_what_is_new_and_wanted_is_heard() {
        let all = changes(&[(0, 5), (1, 6), (0, 6)]);
        let no_puts = Wants {
            no_puts: true,
            ..Wants::default()
        };
        assert_eq!(revisions(ear(0, Wants::default()).0.events(&all)), [5, 6, 6]);
        assert_eq!(revisions(ear(6, Wants::default()).0.events(&all)), [6, 6]);
        assert_eq!(revisions(ear(0, no_puts).0.events(&all)), [6]);
        assert_eq!(ear(7, Wants::default()).0.events(&all), None);
    }

    #[test]
    fn what_was_before_is_told_only_to_who_asked() {
        let told = |prev_kv| {
            let wants = Wants {
                prev_kv,
                ..Wants::default()
            };
            ear(0, wants).0.events(&changes(&[(0, 5)])).expect("heard").events[0]
                .prev_kv
                .is_some()
        };
        assert!(told(true) && !told(false));
    }

    #[test]
    fn progress_is_never_told_backwards() {
        let wants = Wants {
            progress: true,
            ..Wants::default()
        };
        assert!(ear(9, wants).0.progress(&at(8)).is_some());
        assert!(ear(9, wants).0.progress(&at(7)).is_none());
        assert!(ear(9, Wants::default()).0.progress(&at(9)).is_none());
        let (mut asking, _heard) = ear(9, Wants::default());
        asking.asked_progress = true;
        let answer = WatchResponse { watch_id: -1, ..at(9) };
        assert!(matches!(asking.progress(&answer), Some(Said::Progressed(7, _))));
        assert!(asking.progress(&answer).is_none());
    }
}
