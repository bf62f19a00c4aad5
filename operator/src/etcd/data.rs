//! What a backup asks of members: how far they are, how many keys, which hash, and all of it as a snapshot.

use std::time::Duration;

use bytes::Bytes;

use taffrail_proto::etcdserverpb::{
    HashKvRequest, HashKvResponse, RangeRequest, RangeResponse, SnapshotRequest, SnapshotResponse,
};
use tokio::time::timeout;
use tonic::Streaming;

use super::calls::Ask;
use super::channels::Door;
use super::{Access, Endpoint, EtcdClient, EtcdError, refusal};

/// From the first key there can be.
const FIRST_KEY: &[u8] = &[0];

/// An answer to a question about keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    pub keys: i64,
    /// The member's revision when it answered.
    pub revision: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hashed {
    pub hash: u32,
    /// Hashes of members agree only if this does.
    pub compact_revision: i64,
}

/// Why there is no answer about a revision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// Take a later revision.
    #[error("the revision has been compacted")]
    Compacted,
    /// This member has not come so far.
    #[error("the revision is in the future")]
    Future,
    #[error(transparent)]
    Etcd(EtcdError),
}

impl From<EtcdError> for DataError {
    fn from(error: EtcdError) -> Self {
        match error {
            EtcdError::Refused(said) if said == "mvcc: required revision has been compacted" => Self::Compacted,
            EtcdError::Refused(said) if said == "mvcc: required revision is a future revision" => Self::Future,
            error => Self::Etcd(error),
        }
    }
}

impl EtcdClient {
    /// A revision that is not older than any that was acknowledged before the question (linearizable).
    ///
    /// # Errors
    /// If none of `through` can tell: without a quorum nobody can.
    pub async fn newest_revision(&self, access: &Access, through: &[Endpoint]) -> Result<i64, EtcdError> {
        let question = RangeRequest {
            key: FIRST_KEY.into(),
            count_only: true,
            ..Default::default()
        };
        let call = async |door: Door, request| door.kv().range(request).await;
        let answer = self.any(access, through, Ask::Anybody, question, call).await?;
        Ok(revision(&answer))
    }

    /// Keys at `revision`, as this member has them.
    ///
    /// # Errors
    /// If it cannot tell, see [`DataError`].
    pub async fn count(&self, access: &Access, at: &Endpoint, revision_asked: i64) -> Result<Counted, DataError> {
        let all = RangeRequest {
            range_end: FIRST_KEY.into(),
            ..serializable(revision_asked)
        };
        let answer = self.range(access, at, all).await?;
        Ok(Counted {
            keys: answer.count,
            revision: revision(&answer),
        })
    }

    /// The revision that this member has applied.
    ///
    /// # Errors
    /// If it cannot tell.
    pub async fn revision_of(&self, access: &Access, at: &Endpoint) -> Result<i64, DataError> {
        Ok(revision(&self.range(access, at, serializable(0)).await?))
    }

    /// Whether `revision` can still be read at this member: [`DataError::Compacted`] if not.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn can_read(&self, access: &Access, at: &Endpoint, revision_asked: i64) -> Result<(), DataError> {
        self.range(access, at, serializable(revision_asked)).await.map(drop)
    }

    async fn range(&self, access: &Access, at: &Endpoint, request: RangeRequest) -> Result<RangeResponse, DataError> {
        let call = async |door: Door, request| door.kv().range(request).await;
        let answer = self.at(access, at, request, call).await;
        answer.map_err(|failure| failure.error.into())
    }

    /// Maintenance.HashKV.
    ///
    /// # Errors
    /// If it cannot tell; a learner never does.
    pub async fn hash_kv(&self, access: &Access, at: &Endpoint, revision: i64) -> Result<Hashed, DataError> {
        let call = async |door: Door, request| door.maintenance().hash_kv(request).await;
        let answer = self.at(access, at, HashKvRequest { revision }, call).await;
        let HashKvResponse {
            hash, compact_revision, ..
        } = answer.map_err(|failure| DataError::from(failure.error))?;
        Ok(Hashed { hash, compact_revision })
    }

    /// Maintenance.Snapshot; the deadline counts until it begins.
    ///
    /// # Errors
    /// If it does not begin.
    pub async fn snapshot(&self, access: &Access, at: &Endpoint) -> Result<Snapshot, EtcdError> {
        let call = async |door: Door, request| door.maintenance().snapshot(request).await;
        let stream = self.at(access, at, SnapshotRequest {}, call).await;
        stream
            .map(|stream| Snapshot { stream })
            .map_err(|failure| failure.error)
    }
}

/// A snapshot on its way.
pub struct Snapshot {
    stream: Streaming<SnapshotResponse>,
}

impl Snapshot {
    /// The next bytes; None at the end, which is not known to be the right one.
    ///
    /// # Errors
    /// If the member breaks off, or says nothing for `stall`.
    pub async fn next(&mut self, stall: Duration) -> Result<Option<Bytes>, EtcdError> {
        let next = timeout(stall, self.stream.message()).await;
        match next.map_err(|_| EtcdError::TimedOut(stall.as_secs()))? {
            Ok(message) => Ok(message.map(|message| message.blob)),
            Err(status) => Err(refusal::refusal(&status, stall.as_secs())),
        }
    }
}

fn serializable(revision: i64) -> RangeRequest {
    RangeRequest {
        key: FIRST_KEY.into(),
        revision,
        count_only: true,
        serializable: true,
        ..Default::default()
    }
}

fn revision(answer: &RangeResponse) -> i64 {
    answer.header.as_ref().map_or(0, |header| header.revision)
}
