//! What one client's watch stream says and hears: its watchers by their ids.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use taffrail_proto::etcdserverpb::watch_request::RequestUnion;
use taffrail_proto::etcdserverpb::{ResponseHeader, WatchCreateRequest, WatchRequest, WatchResponse};
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

use super::ear::{Ear, Outlet, Said, Wants};
use super::hub::Hub;
use super::subject::{Caller, Subject};
use crate::grpc_proxy::keys::Namespace;

type Outbox = mpsc::Sender<Result<WatchResponse, Status>>;

pub struct Talk {
    pub hub: Arc<Hub>,
    pub space: Arc<Namespace>,
    pub caller: Caller,
    pub outlet: Arc<Outlet>,
    pub watchers: HashMap<i64, Subject>,
    pub next_id: i64,
    /// A question for progress, until all watchers have answered it.
    pub asked: Option<Asked>,
}

pub struct Asked {
    missing: HashSet<i64>,
    least: Option<ResponseHeader>,
}

impl Talk {
    /// Ends with the client, or with what cannot go on.
    pub async fn run(mut self, mut requests: Streaming<WatchRequest>, mut said: mpsc::Receiver<Said>, outbox: Outbox) {
        loop {
            let response = tokio::select! {
                () = outbox.closed() => return,
                () = self.outlet.too_slow.notified() => {
                    tracing::warn!("a watch stream does not read and is ended");
                    Some(Err(Status::unavailable("etcdserver: the watch stream does not read fast enough")))
                }
                request = requests.message() => match request {
                    Ok(Some(request)) => self.asked(request).map(Ok),
                    Ok(None) | Err(_) => return,
                },
                said = said.recv() => self.said(said.expect("this task holds a sender")).transpose(),
            };
            let Some(response) = response else { continue };
            let ends = response.is_err();
            if outbox.send(response).await.is_err() || ends {
                return;
            }
        }
    }

    fn asked(&mut self, request: WatchRequest) -> Option<WatchResponse> {
        match request.request_union? {
            RequestUnion::CreateRequest(create) => self.create(create),
            RequestUnion::CancelRequest(cancel) => self.cancel(cancel.watch_id),
            RequestUnion::ProgressRequest(_) => self.ask_progress(),
        }
    }

    fn create(&mut self, mut create: WatchCreateRequest) -> Option<WatchResponse> {
        if create.start_revision < 0 {
            return Some(refused("etcdserver: mvcc: required revision has been compacted"));
        }
        if self.watchers.contains_key(&create.watch_id) && create.watch_id != 0 {
            return Some(refused("mvcc: duplicate watch ID provided on the WatchStream"));
        }
        let watch_id = self.id(create.watch_id);
        self.space.enter(&mut create.key, &mut create.range_end);
        let subject = Subject {
            key: create.key.clone(),
            range_end: create.range_end.clone(),
            caller: self.caller.clone(),
        };
        let ear = Ear {
            outlet: self.outlet.clone(),
            watch_id,
            wants: Wants::of(&create),
            next: create.start_revision,
            asked_progress: false,
        };
        self.watchers.insert(watch_id, subject.clone());
        self.hub.add(subject, create.start_revision, ear);
        None
    }

    /// The one that is wished for, or the next free one.
    fn id(&mut self, wished: i64) -> i64 {
        if wished != 0 {
            return wished;
        }
        while self.watchers.contains_key(&self.next_id) {
            self.next_id += 1;
        }
        self.next_id += 1;
        self.next_id - 1
    }

    fn cancel(&mut self, watch_id: i64) -> Option<WatchResponse> {
        let subject = self.watchers.remove(&watch_id)?;
        self.hub.remove(&subject, self.outlet.stream_id, watch_id);
        Some(WatchResponse {
            header: Some(ResponseHeader::default()),
            watch_id,
            canceled: true,
            ..WatchResponse::default()
        })
    }

    fn ask_progress(&mut self) -> Option<WatchResponse> {
        self.asked = (!self.watchers.is_empty()).then(|| Asked {
            missing: self.watchers.keys().copied().collect(),
            least: None,
        });
        for (watch_id, subject) in &self.watchers {
            self.hub.ask_progress(subject, self.outlet.stream_id, *watch_id);
        }
        None
    }

    fn said(&mut self, said: Said) -> Result<Option<WatchResponse>, Status> {
        match said {
            Said::Failed(status) => Err(status),
            Said::Progressed(watch_id, header) => Ok(self.progressed(watch_id, Some(header))),
            // What was on its way when the watcher was canceled.
            Said::Response(response) if !self.watchers.contains_key(&response.watch_id) => Ok(None),
            Said::Response(response) => Ok(Some(self.response(response))),
        }
    }

    fn response(&mut self, mut response: WatchResponse) -> WatchResponse {
        response
            .events
            .iter_mut()
            .for_each(|event| self.space.leave_event(event));
        if response.canceled {
            self.watchers.remove(&response.watch_id);
        }
        // A watcher that never was has no id.
        if response.canceled && response.created {
            response.watch_id = -1;
        }
        response
    }

    /// An answer once all have answered: it is as far as the one that is least far.
    fn progressed(&mut self, watch_id: i64, header: Option<ResponseHeader>) -> Option<WatchResponse> {
        let asked = self.asked.as_mut()?;
        asked.missing.remove(&watch_id);
        asked.missing.retain(|id| self.watchers.contains_key(id));
        asked.least = asked
            .least
            .into_iter()
            .chain(header)
            .min_by_key(|header| header.revision);
        if !asked.missing.is_empty() {
            return None;
        }
        let header = self.asked.take()?.least;
        Some(WatchResponse {
            header,
            watch_id: -1,
            ..WatchResponse::default()
        })
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        for (watch_id, subject) in &self.watchers {
            self.hub.remove(subject, self.outlet.stream_id, *watch_id);
        }
    }
}

fn refused(reason: &str) -> WatchResponse {
    WatchResponse {
        header: Some(ResponseHeader::default()),
        watch_id: -1,
        created: true,
        canceled: true,
        cancel_reason: reason.to_owned(),
        ..WatchResponse::default()
    }
}
