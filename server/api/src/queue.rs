//! A line of keys under one name, ordered by when they were created: who is first has the lock, or leads (etcd
//! client/v3/concurrency).
//!
//! Always holds: whoever is let in was first, and its own key still there, at one moment: no lock is given to a
//! waiter whose lease has ended meanwhile. A waiter that leaves takes its key along.

use bytes::Bytes;
use taffrail_proto::etcdserverpb as pb;
use taffrail_proto::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use taffrail_proto::etcdserverpb::range_request::{SortOrder, SortTarget};
use taffrail_proto::etcdserverpb::request_op::Request;
use taffrail_proto::etcdserverpb::response_op::Response;
use taffrail_proto::mvccpb::KeyValue;
use taffrail_proto::mvccpb::event::EventType;
use tokio::sync::oneshot;
use tonic::Status;

use crate::errand::Errand;
use crate::status::{Refusal, STOPPED};

/// How long the lease of a caller without one lives (etcd concurrency/session.go).
const LEASE_TTL_S: i64 = 60;

/// The caller's lease, or a fresh one that nobody keeps alive.
pub(crate) async fn lease(errand: &Errand, lease: i64) -> Result<i64, Status> {
    if lease != 0 {
        return Ok(lease);
    }
    let ttl = LEASE_TTL_S;
    Ok(errand.grant(pb::LeaseGrantRequest { ttl, id: 0 }).await?.id)
}

/// All keys of one name.
#[derive(Clone)]
pub(crate) struct Line {
    prefix: Bytes,
}

impl Line {
    pub fn of(name: &[u8]) -> Self {
        Line {
            prefix: [name, b"/"].concat().into(),
        }
    }

    /// The key that stands for a lease.
    fn key(&self, lease: i64) -> Bytes {
        let sign = if lease < 0 { "-" } else { "" };
        let number = format!("{sign}{:x}", lease.unsigned_abs());
        [&self.prefix, number.as_bytes()].concat().into()
    }

    /// What follows a slash ends the prefix.
    fn end(&self) -> Bytes {
        [&self.prefix[..self.prefix.len() - 1], b"0"].concat().into()
    }

    /// The key that was created first.
    pub fn first(&self) -> pb::RangeRequest {
        pb::RangeRequest {
            key: self.prefix.clone(),
            range_end: self.end(),
            limit: 1,
            sort_order: SortOrder::Ascend.into(),
            sort_target: SortTarget::Create.into(),
            ..Default::default()
        }
    }

    /// Everything that happens in it from `start_revision` on.
    pub fn watch(&self, start_revision: i64) -> pb::WatchCreateRequest {
        pb::WatchCreateRequest {
            key: self.prefix.clone(),
            range_end: self.end(),
            start_revision,
            ..Default::default()
        }
    }

    /// The last key that was created before `create_revision`.
    fn before(&self, create_revision: i64) -> pb::RangeRequest {
        pb::RangeRequest {
            sort_order: SortOrder::Descend.into(),
            max_create_revision: create_revision - 1,
            ..self.first()
        }
    }
}

/// What one waiter wants to stand in line with.
pub(crate) struct Wish {
    pub line: Line,
    pub lease: i64,
    pub value: Bytes,
    /// What it is told if its key is gone.
    pub expired: Refusal,
}

/// A key in line. Dropping it means to leave.
pub(crate) struct Place {
    errand: Errand,
    line: Line,
    pub key: Bytes,
    pub create_revision: i64,
    /// Of the transaction that entered the line, or found the key in it.
    pub header: Option<pb::ResponseHeader>,
    /// What the key held already.
    pub found: Option<KeyValue>,
    /// Nobody was there before.
    first: bool,
    expired: Refusal,
    kept: bool,
}

impl Place {
    /// Gets in line, or finds the key that the same lease has there already.
    ///
    /// A caller that leaves before it is in line must not be in line afterwards: so this is not cancelled with it.
    pub async fn take(errand: &Errand, wish: Wish) -> Result<Place, Status> {
        let (tell, told) = oneshot::channel();
        let errand = errand.clone();
        // If nobody listens any more, the place is dropped and with it left.
        tokio::spawn(async move { drop(tell.send(enter(errand, wish).await)) });
        told.await.map_err(|_| Status::from(STOPPED))?
    }

    /// Waits until everybody who was there before has left.
    ///
    /// # Errors
    /// The key is gone: its lease has ended, or somebody has deleted it.
    pub async fn wait(&self) -> Result<Option<pb::ResponseHeader>, Status> {
        if self.first {
            return Ok(self.header);
        }
        loop {
            let look = self.look().await?;
            let Some(before) = look.before else {
                return Ok(look.header);
            };
            let since = look.header.as_ref().map_or(0, |header| header.revision) + 1;
            self.until_gone(before, since).await?;
        }
    }

    /// One look at both, in one revision: a lease that ends between two looks would go unnoticed.
    async fn look(&self) -> Result<Look, Status> {
        let both = vec![get(&self.key), range(self.line.before(self.create_revision))];
        let answer = self.errand.txn(txn(Vec::new(), both, Vec::new())).await?;
        let mut kvs = answer.responses.into_iter().map(|response| first_of(response.response));
        let (own, before) = (kvs.next().flatten(), kvs.next().flatten());
        if own.is_none_or(|own| own.create_revision != self.create_revision) {
            return Err(self.expired.into());
        }
        Ok(Look {
            header: answer.header,
            before: before.map(|kv| kv.key),
        })
    }

    /// Until one of both keys is deleted, or nobody can tell any more: then looking again will.
    async fn until_gone(&self, before: Bytes, since: i64) -> Result<(), Status> {
        let creates = [before, self.key.clone()].map(|key| pb::WatchCreateRequest {
            key,
            start_revision: since,
            ..Default::default()
        });
        let mut events = self.errand.watch(creates.into()).await?;
        while let Some(heard) = events.next().await? {
            if heard.event.r#type() == EventType::Delete {
                break;
            }
        }
        Ok(())
    }

    /// True for as long as the key is the one that was created here.
    pub fn is_held(&self) -> pb::Compare {
        created_at(&self.key, self.create_revision)
    }

    /// Let in: the key stays until it is given back or its lease ends.
    pub fn keep(mut self) -> Self {
        self.kept = true;
        self
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let (errand, leave) = (self.errand.clone(), leave(&self.key, self.create_revision));
        tokio::spawn(async move {
            if let Err(status) = errand.txn(leave).await {
                tracing::warn!(%status, "a waiter left, but its key stays until its lease ends");
            }
        });
    }
}

struct Look {
    header: Option<pb::ResponseHeader>,
    /// Whom to wait for.
    before: Option<Bytes>,
}

async fn enter(errand: Errand, wish: Wish) -> Result<Place, Status> {
    let Wish {
        line,
        lease,
        value,
        expired,
    } = wish;
    let key = line.key(lease);
    let create = put(&key, value, lease);
    let first = range(line.first());
    let (create, find) = (vec![create, first.clone()], vec![get(&key), first]);
    let answer = errand.txn(txn(vec![created_at(&key, 0)], create, find)).await?;
    let mut kvs = answer.responses.into_iter().map(|each| first_of(each.response));
    let (found, first) = (kvs.next().flatten(), kvs.next().flatten());
    let created_now = answer.header.as_ref().map_or(0, |header| header.revision);
    let create_revision = found.as_ref().map_or(created_now, |kv| kv.create_revision);
    Ok(Place {
        create_revision,
        first: first.is_some_and(|first| first.create_revision == create_revision),
        errand,
        line,
        key,
        header: answer.header,
        found,
        expired,
        kept: false,
    })
}

/// Deletes a key if it is still the same.
pub(crate) fn leave(key: &Bytes, create_revision: i64) -> pb::TxnRequest {
    let delete = Request::RequestDeleteRange(pb::DeleteRangeRequest {
        key: key.clone(),
        ..Default::default()
    });
    txn(vec![created_at(key, create_revision)], vec![op(delete)], Vec::new())
}

/// Gives a key another value if it is still the same.
pub(crate) fn proclaim(held: pb::Compare, value: Bytes, lease: i64) -> pb::TxnRequest {
    let put = put(&held.key, value, lease);
    txn(vec![held], vec![put], Vec::new())
}

pub(crate) fn created_at(key: &Bytes, revision: i64) -> pb::Compare {
    pb::Compare {
        result: CompareResult::Equal.into(),
        target: CompareTarget::Create.into(),
        key: key.clone(),
        target_union: Some(TargetUnion::CreateRevision(revision)),
        ..Default::default()
    }
}

fn txn(compare: Vec<pb::Compare>, success: Vec<pb::RequestOp>, failure: Vec<pb::RequestOp>) -> pb::TxnRequest {
    pb::TxnRequest {
        compare,
        success,
        failure,
    }
}

fn put(key: &Bytes, value: Bytes, lease: i64) -> pb::RequestOp {
    op(Request::RequestPut(pb::PutRequest {
        key: key.clone(),
        value,
        lease,
        ..Default::default()
    }))
}

fn get(key: &Bytes) -> pb::RequestOp {
    range(pb::RangeRequest {
        key: key.clone(),
        ..Default::default()
    })
}

fn range(range: pb::RangeRequest) -> pb::RequestOp {
    op(Request::RequestRange(range))
}

fn op(request: Request) -> pb::RequestOp {
    pb::RequestOp { request: Some(request) }
}

fn first_of(response: Option<Response>) -> Option<KeyValue> {
    match response {
        Some(Response::ResponseRange(found)) => found.kvs.into_iter().next(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_keys_below_its_name_and_no_others() {
        let line = Line::of(b"my/lock");
        assert_eq!(line.key(0x7b), "my/lock/7b");
        assert_eq!(line.key(-0x7b), "my/lock/-7b");
        assert_eq!(line.first().key, "my/lock/");
        assert_eq!(line.end(), "my/lock0");
        assert_eq!(Line::of(b"").first().key, "/");
    }

    #[test]
    fn who_came_before_is_the_last_one_created_earlier() {
        let before = Line::of(b"l").before(7);
        assert_eq!((before.max_create_revision, before.limit), (6, 1));
        assert_eq!(before.sort_order(), SortOrder::Descend);
        assert_eq!(before.sort_target(), SortTarget::Create);
    }
}
