//! Who the other members are, the lines to them, and which of them is in touch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tonic::{Request, Response, Status};

use super::Peer;
use super::dial::{Dialer, Wire, dial_any};
use super::hurry::Hurry;
use super::identity::{Caller, Identity, Refusal};
use super::line::{Client, Line, Pace, open};
use crate::failure::Failure;
use crate::recorder::Recorder;
use crate::state::State;

#[derive(Default)]
struct Known {
    hurry: Arc<Hurry>,
    urls: Vec<String>,
    lines: BTreeMap<Line, Client>,
    in_touch_since: Option<Instant>,
}

#[derive(Default)]
struct Pages {
    peers: BTreeMap<u64, Known>,
    removed: BTreeSet<u64>,
    /// Incarnations that the replicated state is known to hold.
    incarnations: BTreeMap<u64, u64>,
    /// Told about once.
    reported: BTreeSet<(u64, &'static str)>,
}

pub struct PeerBook {
    pub identity: Identity,
    pub pace: Pace,
    pub recorder: Arc<dyn Recorder>,
    dialer: Arc<dyn Dialer>,
    state: Arc<dyn State>,
    failure: Failure,
    /// Whether this member has learnt that it was removed.
    pub removed: watch::Sender<bool>,
    pages: Mutex<Pages>,
}

impl PeerBook {
    pub fn new(
        identity: Identity,
        pace: Pace,
        dialer: Arc<dyn Dialer>,
        state: Arc<dyn State>,
        failure: Failure,
        recorder: Arc<dyn Recorder>,
    ) -> Arc<Self> {
        Arc::new(Self {
            identity,
            pace,
            recorder,
            dialer,
            state,
            failure,
            removed: watch::Sender::new(false),
            pages: Mutex::default(),
        })
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The membership as it is now. Lines to those that left are closed.
    pub fn update(&self, members: &BTreeMap<u64, Peer>) {
        let mut pages = self.pages();
        pages.peers.retain(|id, _| members.contains_key(id));
        for (id, peer) in members {
            if *id != self.identity.member_id {
                pages.peers.entry(*id).or_default().urls.clone_from(&peer.peer_urls);
            }
        }
    }

    pub fn set_removed(&self, removed: BTreeSet<u64>) {
        self.pages().removed = removed;
    }

    pub fn was_removed(&self, id: u64) -> bool {
        self.pages().removed.contains(&id)
    }

    pub fn others(&self) -> Vec<u64> {
        self.pages().peers.keys().copied().collect()
    }

    pub fn urls(&self, id: u64) -> Vec<String> {
        self.pages()
            .peers
            .get(&id)
            .map_or_else(Vec::new, |known| known.urls.clone())
    }

    pub async fn dial(&self, id: u64) -> std::io::Result<Box<dyn Wire>> {
        dial_any(self.dialer.clone(), self.urls(id), self.pace.election / 2).await
    }

    /// A line to a member, opened at its first use and again whenever it breaks.
    pub fn line(self: &Arc<Self>, id: u64, line: Line, urls: &[String]) -> Client {
        let mut pages = self.pages();
        let known = pages.peers.entry(id).or_default();
        if known.urls.is_empty() {
            known.urls = urls.to_vec();
        }
        let open = || open(Arc::downgrade(self), id, self.pace);
        known.lines.entry(line).or_insert_with(open).clone()
    }

    pub fn hurry_of(&self, id: u64) -> Arc<Hurry> {
        self.pages().peers.entry(id).or_default().hurry.clone()
    }

    /// This member waits: what is committed must not wait for company.
    pub fn hurry(&self, id: u64) {
        if let Some(known) = self.pages().peers.get(&id) {
            known.hurry.call();
        }
    }

    /// A message with our name on it.
    pub fn addressed<T>(&self, to: u64, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let caller = Caller { who: self.identity, to };
        caller.stamp(request.metadata_mut());
        request
    }

    /// An answer with our name on it.
    pub fn signed<T>(&self, message: T) -> Response<T> {
        let mut response = Response::new(message);
        self.identity.sign(response.metadata_mut());
        response
    }

    /// Who calls, if it may. Messages of raft are taken from members that are not known here yet: a member that is
    /// behind has to hear from a leader that is newer than what it knows.
    pub fn admit<T>(&self, request: &Request<T>, only_members: bool) -> Result<u64, Status> {
        let caller = Caller::read(request.metadata()).ok_or_else(|| Status::unauthenticated("no caller is named"))?;
        match self.judge(caller, only_members) {
            None => Ok(caller.who.member_id),
            Some(refusal) => {
                self.report(caller.who.member_id, refusal, "refused a peer");
                Err(refusal.status())
            }
        }
    }

    fn judge(&self, caller: Caller, only_members: bool) -> Option<Refusal> {
        let Caller { who, to } = caller;
        if who.cluster_id != self.identity.cluster_id {
            return Some(Refusal::Cluster);
        }
        if to != self.identity.member_id {
            return Some(Refusal::Target);
        }
        if self.was_removed(who.member_id) {
            return Some(Refusal::Removed);
        }
        if only_members && !self.pages().peers.contains_key(&who.member_id) {
            return Some(Refusal::Stranger);
        }
        (!self.is_whole(who)).then_some(Refusal::Incarnation)
    }

    /// Whether a member still has the data that it became a member with.
    fn is_whole(&self, who: Identity) -> bool {
        if self.pages().incarnations.get(&who.member_id) == Some(&who.incarnation) {
            return true;
        }
        match self.state.incarnation(who.member_id) {
            0 => true,
            recorded => {
                self.pages().incarnations.insert(who.member_id, recorded);
                recorded == who.incarnation
            }
        }
    }

    /// Takes an answer if it comes from whom it was asked of.
    pub fn verified<T>(&self, from: u64, answer: Result<Response<T>, Status>) -> Result<T, Status> {
        let answer = answer.inspect_err(|status| self.refused(from, status))?;
        let who =
            Identity::signature(answer.metadata()).ok_or_else(|| Status::unavailable("an answer without a name"))?;
        let expected = Identity {
            member_id: from,
            incarnation: who.incarnation,
            ..self.identity
        };
        if who != expected {
            self.report(from, Refusal::Target, "somebody else answers at the address of a peer");
            return Err(Status::unavailable("somebody else answers at this address"));
        }
        if !self.is_whole(who) {
            self.report(from, Refusal::Incarnation, "a peer answers that has lost its data");
            return Err(Status::unavailable("the peer has lost its data"));
        }
        Ok(answer.into_inner())
    }

    /// What a refusal means for this member.
    fn refused(&self, by: u64, status: &Status) {
        match Refusal::read(status) {
            Some(Refusal::Removed) => {
                self.removed.send_replace(true);
            }
            Some(Refusal::Incarnation) => self.failure.set(format!(
                "member {by:016x} knows this member with other data: the data directory was lost or replaced. Remove \
                 this member from the cluster and add it again empty"
            )),
            Some(refusal) => self.report(by, refusal, "a peer refuses this member"),
            None => {}
        }
    }

    fn report(&self, id: u64, refusal: Refusal, what: &'static str) {
        if self.pages().reported.insert((id, what)) {
            tracing::warn!(remote_peer_id = format!("{id:016x}"), %refusal, "{what}");
        }
    }

    /// A ping was answered, or was not.
    pub fn touched(&self, id: u64, answered: bool) {
        let mut pages = self.pages();
        let Some(known) = pages.peers.get_mut(&id) else { return };
        let before = known.in_touch_since;
        known.in_touch_since = answered.then(|| before.unwrap_or_else(Instant::now));
        if before.is_some() == answered {
            return;
        }
        drop(pages);
        let name = format!("{id:016x}");
        if answered {
            tracing::info!(peer_id = name, "peer became active");
        } else {
            tracing::warn!(peer_id = name, "peer became inactive");
            self.recorder.peer_lost(id);
        }
    }

    pub fn in_touch(&self) -> BTreeMap<u64, Duration> {
        let pages = self.pages();
        let touched = |(id, known): (&u64, &Known)| Some((*id, known.in_touch_since?.elapsed()));
        pages.peers.iter().filter_map(touched).collect()
    }
}
