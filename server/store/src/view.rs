//! Everything at one revision, read-only.

use std::sync::Arc;

use bytes::Bytes;
use fjall::Readable;
use taffrail_proto::etcdserverpb::{AlarmMember, RangeRequest, RangeResponse, TxnRequest, TxnResponse};
use taffrail_proto::membershippb::{Attributes, DowngradeInfoSetRequest};
use taffrail_proto::mvccpb::Event;

use crate::apply::read_txn;
use crate::auth::{Access, Attached, Guard};
use crate::mvcc::{self, Current, HashKv, Kept, Revisions, Wanted};
use crate::pinned::Pinned;
use crate::schema::{attachment, lease};
use crate::store::Shared;
use crate::{Auth, AuthError, Caller, Compacted, EventsError, Lease, PermitError, Position, RangeError, StoreFailure};

/// A stretch of history.
#[derive(Debug, Clone, Default)]
pub struct EventBatch {
    /// In revision order, whole main revisions only.
    pub events: Vec<Event>,
    /// Every event below this revision has been given; read on from here.
    pub next_revision: i64,
}

/// Everything at one revision, read-only. Cheap to clone; holding one for long keeps the engine from forgetting
/// what was overwritten since.
#[derive(Clone)]
pub struct View {
    pinned: Arc<Pinned>,
    shared: Arc<Shared>,
}

impl View {
    pub(crate) fn new(pinned: Arc<Pinned>, shared: Arc<Shared>) -> Self {
        Self { pinned, shared }
    }

    pub fn revision(&self) -> i64 {
        self.pinned.state.revision
    }

    /// The compaction floor: the oldest readable revision; -1 before the first compaction, as etcd counts.
    pub fn compacted(&self) -> i64 {
        self.pinned.state.floor
    }

    /// How far into the raft log this state reaches.
    pub fn position(&self) -> Position {
        self.pinned.state.position
    }

    /// The position at which this store came whole from another member; none if it began here.
    pub fn installed(&self) -> Option<Position> {
        self.pinned.state.facts.installed
    }

    /// The consensus layer's last membership record and where in the log it stood.
    pub fn consensus_membership(&self) -> Option<(Position, Bytes)> {
        self.pinned.state.facts.membership.clone()
    }

    /// etcd's Range; `serializable` is not looked at. `header.revision` is set, the rest of the header is not.
    pub fn range(&self, request: &RangeRequest) -> Result<RangeResponse, RangeError> {
        let newest = self.revision();
        let revision = mvcc::check_revision(request.revision, newest, self.compacted())?;
        let response = match self.page_at(revision) {
            Some(page) => mvcc::range(page.current(), request, revision, revision)?,
            None => mvcc::range(self.current(), request, revision, newest)?,
        };
        Ok(self.remember_page(revision, response))
    }

    fn page_at(&self, revision: i64) -> Option<Arc<Pinned>> {
        if revision < self.revision() {
            self.shared.page_at(revision)
        } else {
            None
        }
    }

    /// More rows mean that the next page will be asked for at this revision.
    fn remember_page(&self, revision: i64, mut response: RangeResponse) -> RangeResponse {
        if response.more && revision == self.revision() {
            self.shared.remember_page(&self.pinned);
        }
        if let Some(header) = &mut response.header {
            header.revision = self.revision();
        }
        response
    }

    /// A transaction whose operations are all plain ranges; `header.revision` is set. Anything else in it is the
    /// caller's mistake and is answered by an empty operation.
    pub fn txn(&self, request: &TxnRequest) -> Result<TxnResponse, RangeError> {
        read_txn(self, request)
    }

    /// Events with `from <= mod_revision <= self.revision()` of keys that `wanted` accepts, whole revisions, at most
    /// about `events_max` events or `bytes_max` bytes (at least one revision). May end sooner, even without events:
    /// `next_revision` tells. Refused if `from` is below the floor.
    pub fn events(
        &self,
        from: i64,
        events_max: usize,
        bytes_max: usize,
        wanted: &dyn Fn(&[u8]) -> bool,
    ) -> Result<EventBatch, EventsError> {
        let (to, floor) = (self.revision(), self.compacted());
        if from < floor {
            return Err(Compacted {
                wanted: from,
                compacted: floor,
            }
            .into());
        }
        if from > to {
            return Ok(EventBatch {
                events: Vec::new(),
                next_revision: from,
            });
        }
        Ok(mvcc::events(
            self.current(),
            &Wanted {
                from,
                to,
                floor,
                events_max,
                bytes_max,
                keys: wanted,
            },
        )?)
    }

    pub fn lease(&self, id: i64) -> Result<Option<Lease>, StoreFailure> {
        let key = lease::key(id);
        let value = self.pinned.snapshot.get(&self.pinned.engine.system, key)?;
        value.map(|value| lease::parse(&key, &value)).transpose()
    }

    /// In order of their ids as unsigned numbers.
    pub fn leases(&self) -> Result<Vec<Lease>, StoreFailure> {
        let rows = self.pinned.snapshot.prefix(&self.pinned.engine.system, lease::PREFIX);
        rows.map(|guard| {
            let (key, value) = guard.into_inner()?;
            lease::parse(&key, &value)
        })
        .collect()
    }

    /// Attached keys, sorted.
    pub fn lease_keys(&self, id: i64) -> Result<Vec<Bytes>, StoreFailure> {
        let rows = self
            .pinned
            .snapshot
            .prefix(&self.pinned.engine.system, attachment::prefix(id));
        rows.map(|guard| {
            let key = Bytes::from(guard.key()?);
            Ok(key.slice_ref(attachment::parse_key(&key)?.1))
        })
        .collect()
    }

    /// In order of member, then type.
    pub fn alarms(&self) -> Vec<AlarmMember> {
        let alarms = &self.pinned.state.facts.alarms;
        alarms
            .iter()
            .map(|&(member_id, alarm)| AlarmMember { member_id, alarm })
            .collect()
    }

    pub fn member_attributes(&self, id: u64) -> Option<Attributes> {
        self.pinned.state.facts.attributes.get(&id).cloned()
    }

    pub fn cluster_version(&self) -> Option<String> {
        self.pinned.state.facts.cluster_version.clone()
    }

    pub fn downgrade_info(&self) -> Option<DowngradeInfoSetRequest> {
        self.pinned.state.facts.downgrade.clone()
    }

    pub fn auth(&self) -> &Auth {
        &self.pinned.state.facts.auth
    }

    pub fn permit_range(&self, caller: &Caller, request: &RangeRequest) -> Result<(), AuthError> {
        self.auth().permit_read(caller, &request.key, &request.range_end)
    }

    /// Every comparison and every operation of both branches, nested ones too. Before a transaction is proposed this
    /// is a first look: the entry is looked at again.
    pub fn permit_txn(&self, caller: &Caller, request: &TxnRequest) -> Result<(), AuthError> {
        match self.guard(self.auth().access(caller)?).txn(request) {
            Err(PermitError::Auth(refused)) => Err(refused),
            // Keys of a lease that cannot be read are not known to be the caller's. The failure shows with the entry.
            Err(PermitError::Failure(_)) => Err(AuthError::PermissionDenied),
            Ok(()) => Ok(()),
        }
    }

    /// Every key that is attached: to write them if the lease is to be revoked, kept alive or put to another key, to
    /// read them if they are to be told. An administrator may revoke at any auth revision, as in etcd.
    pub fn permit_lease(&self, caller: &Caller, lease: i64, write: bool) -> Result<(), PermitError> {
        let auth = self.auth();
        if write && auth.permit_admin(caller).is_ok() {
            return Ok(());
        }
        auth.permit_user(caller)?;
        self.guard(auth.access(caller)?).lease(lease, write)
    }

    fn guard<'a>(&'a self, access: Access<'a>) -> Guard<'a, impl Fn(i64) -> Attached> {
        Guard::new(access, |lease| self.lease_keys(lease))
    }

    /// etcd's own HashKV of the logical contents; `revision` 0 means this view's. Reads everything: run it where
    /// blocking for seconds does no harm.
    pub fn hash_kv(&self, revision: i64) -> Result<HashKv, RangeError> {
        let newest = self.revision();
        if revision > 0 {
            mvcc::check_revision(revision, newest, self.compacted())?;
        }
        let hash_revision = if revision == 0 { newest } else { revision };
        let hash = mvcc::hash_kv(&self.pinned, self.current(), hash_revision)?;
        Ok(HashKv {
            hash,
            compact_revision: self.compacted(),
            hash_revision,
        })
    }

    /// A hash of everything that is replicated. As long as [`View::hash_kv`].
    pub fn hash(&self) -> Result<u32, StoreFailure> {
        let hash_kv = mvcc::hash_kv(&self.pinned, self.current(), self.revision())?;
        Ok(mvcc::hash_all(hash_kv, &self.pinned.state, &self.leases()?))
    }

    /// In revision order, up to and including `up_to`, everything that etcd's `key` bucket would hold after a
    /// compaction at the floor: of each key alive at the floor its version of then, tombstones exactly at the floor,
    /// and everything above it. Memory is bounded; large contents are sorted through unnamed files in the store's
    /// own folder. Refused if `up_to` is below the floor.
    pub fn revisions(&self, up_to: i64) -> Result<Revisions, RangeError> {
        let floor = self.compacted();
        if up_to < floor {
            return Err(Compacted {
                wanted: up_to,
                compacted: floor,
            }
            .into());
        }
        let kept = Kept {
            floor,
            up_to,
            only_current_of_floor: false,
        };
        Ok(mvcc::revisions(&self.pinned.engine, &self.pinned.snapshot, kept)?)
    }

    pub(crate) fn pinned(&self) -> &Pinned {
        &self.pinned
    }

    pub(crate) fn current(&self) -> Current<'_> {
        self.pinned.current()
    }
}
