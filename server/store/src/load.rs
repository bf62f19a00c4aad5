//! A new store from a stream of revisions, as a snapshot holds them.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use fjall::PersistMode;
use prost::Message;
use taffrail_proto::etcdserverpb::AlarmMember;
use taffrail_proto::membershippb::{Attributes, DowngradeInfoSetRequest};

use crate::backup::AuthRecords;
use crate::mvcc::{Loading, Revision, StoredRevision, Writer};
use crate::schema::record::{Parts, Record};
use crate::schema::{KEY_BYTES_MAX, alarm, attributes, damaged, installed, lease, membership};
use crate::store::Shared;
use crate::{Auth, Lease, OpenError, Options, Position, Store, StoreFailure};

/// Rows and bytes after which what was read so far is committed.
const BATCH_ROWS: usize = 1000;
const BATCH_BYTES: usize = 4 << 20;
/// What may wait in memory for the engine's workers. The engine itself bounds only how many full memtables wait: the
/// one that is written grows for as long as the workers have no time to take it.
const UNWRITTEN_BYTES_MAX: usize = 64 << 20;

/// What a snapshot says beside the revisions. The default is an empty store that was never compacted.
#[derive(Debug, Clone)]
pub struct LoadMeta {
    /// The compaction floor, -1 if there was no compaction.
    pub compacted: i64,
    /// The newest revision; at least that of the last revision in the stream.
    pub revision: i64,
    pub leases: Vec<Lease>,
    pub alarms: Vec<AlarmMember>,
    /// By member id.
    pub attributes: Vec<(u64, Attributes)>,
    pub cluster_version: Option<String>,
    pub downgrade: Option<DowngradeInfoSetRequest>,
    pub auth: AuthRecords,
    /// Where in the log the contents stand: the next entry applied must lie after it.
    pub position: Position,
    /// The consensus layer's membership and where in the log it stood.
    pub membership: Option<(Position, Bytes)>,
}

impl Default for LoadMeta {
    fn default() -> Self {
        Self {
            compacted: -1,
            revision: 1,
            leases: Vec::new(),
            alarms: Vec::new(),
            attributes: Vec::new(),
            cluster_version: None,
            downgrade: None,
            auth: AuthRecords::default(),
            position: Position::default(),
            membership: None,
        }
    }
}

impl Store {
    /// Builds a store in `dir`, which must be absent or empty, and makes it durable. `revisions` must come in
    /// ascending order, hold each revision once, and be what [`View::revisions`](crate::View::revisions) gives: of
    /// each key alive at the floor its version of then, tombstones exactly at the floor, everything above. Versions
    /// are taken as they are (create revision, version and lease are not worked out anew); a lease that `meta` does
    /// not know is kept in the version, but nothing is attached to it.
    ///
    /// Afterwards ranges, events, `hash_kv`, `revisions` and `in_use_bytes` are those of the source.
    ///
    /// Fails with [`OpenError::Damaged`] if `dir` already holds a store or the stream cannot be such a history, and
    /// with the stream's own failure. What was written until then is of no use: remove the folder.
    pub fn load(
        dir: &Path,
        options: &Options,
        meta: LoadMeta,
        revisions: impl IntoIterator<Item = Result<StoredRevision, StoreFailure>>,
    ) -> Result<(), OpenError> {
        let shared = Arc::new(Shared::open(dir, options)?);
        let mut loader = Loader::new(shared, meta);
        loader.load(revisions).map_err(|why| match why {
            StoreFailure::Damaged(why) => OpenError::Damaged {
                dir: dir.to_path_buf(),
                why,
            },
            why => why.into(),
        })
    }
}

struct Loader {
    writer: Writer,
    meta: LoadMeta,
    last: Option<Revision>,
    /// Not yet committed.
    bytes: usize,
    /// Committed, and perhaps in memory alone.
    unwritten_bytes: usize,
}

impl Loader {
    fn new(shared: Arc<Shared>, meta: LoadMeta) -> Self {
        Self {
            writer: Writer::new(shared),
            meta,
            last: None,
            bytes: 0,
            unwritten_bytes: 0,
        }
    }

    fn load(
        &mut self,
        revisions: impl IntoIterator<Item = Result<StoredRevision, StoreFailure>>,
    ) -> Result<(), StoreFailure> {
        let state = self.writer.state();
        if state.position != Position::default() || state.revision != 1 || state.counts.total() > 0 {
            return Err(damaged("folder", "it already holds a store"));
        }
        self.facts();
        self.auth()?;
        for stored in revisions {
            self.revision(stored?)?;
            if self.writer.pending_rows() >= BATCH_ROWS || self.bytes >= BATCH_BYTES {
                self.commit()?;
            }
        }
        self.finish()
    }

    fn commit(&mut self) -> Result<(), StoreFailure> {
        self.writer.commit()?;
        self.unwritten_bytes += std::mem::take(&mut self.bytes);
        if self.unwritten_bytes >= UNWRITTEN_BYTES_MAX {
            self.unwritten_bytes = 0;
            let engine = &self.writer.committed().engine;
            for keyspace in [&engine.log, &engine.current, &engine.history] {
                keyspace.rotate_memtable_and_wait()?;
            }
        }
        Ok(())
    }

    /// Leases first: attaching a key asks for them.
    fn facts(&mut self) {
        let writer = &mut self.writer;
        for granted in &self.meta.leases {
            let value = Bytes::copy_from_slice(&lease::value(granted));
            writer.set_system(Bytes::copy_from_slice(&lease::key(granted.id)), Some(value));
        }
        for active in &self.meta.alarms {
            writer.set_system(alarm::key(active), Some(Bytes::new()));
        }
        for (member, of_member) in &self.meta.attributes {
            writer.set_system(
                attributes::key(*member).to_vec(),
                Some(of_member.encode_to_vec().into()),
            );
        }
        if let Some(version) = &self.meta.cluster_version {
            writer.set_system(&attributes::VERSION_KEY[..], Some(version.clone().into()));
        }
        if let Some(downgrade) = &self.meta.downgrade {
            writer.set_system(&attributes::DOWNGRADE_KEY[..], Some(downgrade.encode_to_vec().into()));
        }
        if let Some((position, blob)) = &self.meta.membership {
            writer.set_system(&membership::KEY[..], Some(membership::value(*position, blob).into()));
        }
        if self.meta.position != Position::default() {
            // No log leads to here.
            writer.set_system(
                &installed::KEY[..],
                Some(Bytes::copy_from_slice(&installed::value(self.meta.position))),
            );
        }
    }

    /// Without any, there are no rows either.
    fn auth(&mut self) -> Result<(), StoreFailure> {
        let AuthRecords {
            enabled,
            revision,
            users,
            roles,
        } = std::mem::take(&mut self.meta.auth);
        let auth = Auth::new(enabled, revision, users, roles);
        if auth.is_untouched() {
            return Ok(());
        }
        for (key, value) in auth.whole().rows() {
            if key.len() > KEY_BYTES_MAX {
                return Err(damaged("snapshot", &format!("name of {} bytes", key.len())));
            }
            self.writer.set_system(key, value);
        }
        Ok(())
    }

    fn revision(&mut self, stored: StoredRevision) -> Result<(), StoreFailure> {
        let StoredRevision {
            revision,
            tombstone,
            kv,
        } = stored;
        if self.last.is_some_and(|last| last >= revision) || revision.main > self.meta.revision {
            return Err(damaged(
                "snapshot",
                &format!("revision {} is out of order", revision.main),
            ));
        }
        if kv.key.is_empty() || kv.key.len() > KEY_BYTES_MAX {
            return Err(damaged("snapshot", &format!("key of {} bytes", kv.key.len())));
        }
        self.last = Some(revision);
        self.bytes += kv.key.len() + kv.value.len();
        let key = Bytes::copy_from_slice(&kv.key);
        let previous = self.writer.record(&key)?;
        if tombstone {
            self.writer.delete_at(revision, &key, previous.as_ref());
            return Ok(());
        }
        let (create_revision, version, lease) = (kv.create_revision, kv.version, kv.lease);
        let record = Record::new(&Parts {
            create_revision,
            revision,
            version,
            lease,
            value: &kv.value,
        });
        let attached_to = if lease != 0 && self.writer.lease(lease)?.is_some() {
            lease
        } else {
            0
        };
        let loading = Loading {
            below_floor: revision.main < self.meta.compacted,
            attached_to,
        };
        self.writer.load_version(&key, record, previous.as_ref(), &loading)
    }

    fn finish(&mut self) -> Result<(), StoreFailure> {
        let floor_bytes = self.writer.log_bytes_at(self.meta.compacted)?;
        let state = self.writer.state_mut();
        state.revision = self.meta.revision;
        state.floor = self.meta.compacted;
        state.floor_bytes = floor_bytes;
        state.position = self.meta.position;
        self.writer.commit()?;
        self.writer.committed().engine.database.persist(PersistMode::SyncAll)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use taffrail_proto::mvccpb::KeyValue;

    use super::*;

    const VALUE_BYTES: usize = 256 << 10;

    fn stored(number: i64) -> StoredRevision {
        let revision = Revision { main: number, sub: 0 };
        let kv = KeyValue {
            key: format!("key {number:08}").into(),
            create_revision: number,
            mod_revision: number,
            version: 1,
            value: vec![number as u8; VALUE_BYTES].into(),
            lease: 0,
        };
        StoredRevision {
            revision,
            tombstone: false,
            kv,
        }
    }

    #[test]
    fn what_waits_in_memory_does_not_grow_with_the_snapshot() {
        let dir = tempfile::tempdir().unwrap();
        let shared = Arc::new(Shared::open(&dir.path().join("store"), &Options::default()).unwrap());
        let count = (4 * UNWRITTEN_BYTES_MAX / VALUE_BYTES) as i64;
        let meta = LoadMeta {
            revision: count + 1,
            ..LoadMeta::default()
        };
        let (watched, mut most) = (shared.clone(), 0);
        let revisions = (2..count + 2).map(|number| {
            most = watched.newest().engine.database.write_buffer_size().max(most);
            Ok(stored(number))
        });
        Loader::new(shared, meta).load(revisions).unwrap();
        // The value is in the log of changes and among the keys.
        let expected = 2 * (UNWRITTEN_BYTES_MAX + BATCH_BYTES) as u64;
        assert!(most > 0 && most < expected * 5 / 4, "{} MiB", most >> 20);
    }
}
