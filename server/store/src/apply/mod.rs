//! Log entries become changes and answers.
//!
//! Enters: committed entries in log order. Leaves: an [`Applied`] for each. Always holds: entries of one call are
//! committed in one engine batch with the position they reach (a transaction that reads an older revision splits the
//! batch); an entry sees what those before it did; an entry at or below the applied position is skipped; a refused
//! entry changes nothing but the position.

mod alarm;
mod attributes;
mod auth;
mod compact;
mod compare;
mod guard;
mod kv;
mod lease;
mod permit;
mod txn;

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use taffrail_proto::etcdserverpb::{InternalRaftRequest, ResponseHeader};
use taffrail_proto::mvccpb::Event;

pub(crate) use txn::read_txn;

use crate::backup::Base;
use crate::mvcc::Writer;
use crate::schema::{installed, membership};
use crate::store::Shared;
use crate::{Answer, Applied, ApplyError, Content, Entry, Position, Response, StoreFailure};

/// The only writer of a store.
pub struct Applier {
    writer: Writer,
    failed: bool,
}

/// What an entry does when the store itself does not fail.
pub(crate) type Outcome = Result<Answer, StoreFailure>;

impl Applier {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            writer: Writer::new(shared),
            failed: false,
        }
    }

    /// How far the log has been applied.
    pub fn position(&self) -> Position {
        self.writer.state().position
    }

    /// Applies entries in order in one engine batch; not fsynced. After a failure the store must be opened anew:
    /// what is in memory and what is on disk may differ.
    pub fn apply(&mut self, entries: &[Entry]) -> Result<Vec<Applied>, StoreFailure> {
        self.apply_watched(entries, &mut |_, _| {})
    }

    /// As [`Applier::apply`]; `after_each` is called once an entry is evaluated, before the batch is committed. Who
    /// wants to know how long each takes has a clock; the store has none.
    pub fn apply_watched(
        &mut self,
        entries: &[Entry],
        after_each: &mut dyn FnMut(&Entry, &Applied),
    ) -> Result<Vec<Applied>, StoreFailure> {
        self.begin()?;
        // Answers are large: collecting results would move them again and again while the list grows.
        let mut applied = Vec::with_capacity(entries.len());
        for entry in entries {
            let done = self.apply_entry(entry)?;
            after_each(entry, &done);
            applied.push(done);
        }
        self.writer.commit()?;
        self.failed = false;
        Ok(applied)
    }

    /// What was applied so far becomes the start of a new cluster: its log begins after the base.
    pub(crate) fn rebase(&mut self, base: &Base) -> Result<(), StoreFailure> {
        self.begin()?;
        self.set_membership(base.position, &base.membership);
        let installed = Bytes::copy_from_slice(&installed::value(base.position));
        self.writer.set_system(&installed::KEY[..], Some(installed));
        self.writer.state_mut().position = base.position;
        self.writer.commit()?;
        self.failed = false;
        Ok(())
    }

    /// Goes on with another state than the one written so far.
    pub(crate) fn replace(
        &mut self,
        swap: impl FnOnce(&Shared) -> Result<(), StoreFailure>,
    ) -> Result<(), StoreFailure> {
        self.begin()?;
        swap(self.writer.shared())?;
        self.writer = self.writer.anew();
        self.failed = false;
        Ok(())
    }

    /// Failed until it is done.
    fn begin(&mut self) -> Result<(), StoreFailure> {
        if self.failed {
            return Err(StoreFailure::Damaged("an earlier batch failed".into()));
        }
        self.failed = true;
        Ok(())
    }

    fn apply_entry(&mut self, entry: &Entry) -> Result<Applied, StoreFailure> {
        let mut events = Vec::new();
        let answer = if entry.position.index <= self.position().index {
            Ok(Response::Nothing)
        } else {
            let answer = self.apply_content(entry, &mut events)?;
            self.writer.state_mut().position = entry.position;
            answer
        };
        Ok(Applied {
            position: entry.position,
            revision: self.writer.state().revision,
            answer,
            events,
        })
    }

    fn apply_content(&mut self, entry: &Entry, events: &mut Vec<Event>) -> Outcome {
        match &entry.content {
            Content::Blank => {}
            Content::Membership(blob) => self.set_membership(entry.position, blob),
            Content::Request(request) => return self.apply_request(request, entry.position.index, events),
        }
        Ok(Ok(Response::Nothing))
    }

    fn set_membership(&mut self, position: Position, blob: &Bytes) {
        let value = membership::value(position, blob);
        self.writer.set_system(&membership::KEY[..], Some(value.into()));
        let facts = Arc::make_mut(&mut self.writer.state_mut().facts);
        facts.membership = Some((position, Bytes::copy_from_slice(blob)));
    }

    fn apply_request(&mut self, request: &Bytes, index: u64, events: &mut Vec<Event>) -> Outcome {
        let request = match InternalRaftRequest::decode(request.clone()) {
            Ok(request) => request,
            Err(why) => return Ok(Err(ApplyError::Malformed(why.to_string()))),
        };
        if let Err(refused) = guard::check(&self.writer.state().facts, &request) {
            return Ok(Err(refused));
        }
        if let Err(refused) = permit::check(&self.writer, &request)? {
            return Ok(Err(refused));
        }
        self.dispatch(request, index, events)
    }

    fn dispatch(&mut self, request: InternalRaftRequest, index: u64, events: &mut Vec<Event>) -> Outcome {
        let writer = &mut self.writer;
        match request {
            InternalRaftRequest { put: Some(put), .. } => kv::put(writer, &put, events),
            InternalRaftRequest {
                delete_range: Some(delete),
                ..
            } => kv::delete_range(writer, &delete, events),
            InternalRaftRequest { txn: Some(txn), .. } => txn::txn(writer, &txn, events),
            InternalRaftRequest {
                compaction: Some(compaction),
                ..
            } => compact::compact(writer, &compaction),
            InternalRaftRequest {
                lease_grant: Some(grant),
                ..
            } => lease::grant(writer, &grant),
            InternalRaftRequest {
                lease_revoke: Some(revoke),
                ..
            } => lease::revoke(writer, &revoke, events),
            InternalRaftRequest {
                lease_checkpoint: Some(checkpoint),
                ..
            } => lease::checkpoint(writer, &checkpoint),
            InternalRaftRequest { alarm: Some(alarm), .. } => Ok(alarm::alarm(writer, &alarm)),
            InternalRaftRequest {
                cluster_version_set: Some(set),
                ..
            } => Ok(attributes::set_version(writer, set)),
            InternalRaftRequest {
                cluster_member_attr_set: Some(set),
                ..
            } => Ok(attributes::set(writer, set)),
            InternalRaftRequest {
                downgrade_info_set: Some(set),
                ..
            } => Ok(attributes::set_downgrade(writer, set)),
            InternalRaftRequest {
                downgrade_version_test: Some(_),
                ..
            } => Ok(Ok(Response::Nothing)),
            request => auth::auth(writer, request, index),
        }
    }
}

/// The store knows nothing of the header but the revision.
pub(crate) fn header(revision: i64) -> Option<ResponseHeader> {
    Some(ResponseHeader {
        revision,
        ..ResponseHeader::default()
    })
}
