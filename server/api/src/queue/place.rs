//! One waiter's place in line: taken, waited with, left.

use bytes::Bytes;
use taffrail_proto::etcdserverpb as pb;
use taffrail_proto::mvccpb::KeyValue;
use taffrail_proto::mvccpb::event::EventType;
use tokio::sync::oneshot;
use tonic::Status;

use super::line::Line;
use super::steps::{created_at, first_of, get, leave, put, range, txn};
use crate::errand::Errand;
use crate::status::{Refusal, STOPPED};

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
