//! The data directory of a stopped member of etcd, as the start of a new store.
//!
//! The database is written behind: what its member acknowledged last stands in the log alone. So the entries after
//! those that the database holds are applied here as etcd applies them when it starts, in the same order.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use prost::Message;
use taffrail_proto::etcdserverpb::InternalRaftRequest;

use super::open::{Backup, OpenBackupError};
use super::restore::{Base, RestoreError, load_backup};
use super::wal::{ADD, ADD_LEARNER, EtcdContent, EtcdEntry, EtcdLog, REMOVE, WalError};
use crate::{ApplyError, Content, Entry, OpenError, Options, Position, Store, StoreFailure};

/// Entries and bytes of requests in one engine batch.
const BATCH_ENTRIES_MAX: usize = 512;
const BATCH_BYTES_MAX: usize = 4 << 20;

/// Why a member's directory could not be taken over. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error("{db} cannot be opened: is this the data directory of an etcd member? ({source})", db = .db.display())]
    NoDatabase { db: PathBuf, source: std::io::Error },
    #[error("{db} is in use by etcd: stop that member first", db = .0.display())]
    InUse(PathBuf),
    #[error(transparent)]
    Database(#[from] OpenBackupError),
    #[error(transparent)]
    Log(#[from] WalError),
    #[error(
        "the member was receiving a snapshot from its leader (entry {snapshot}) when it stopped, its database ends at \
         entry {applied}: start etcd on it once more, or migrate another member"
    )]
    Receiving { snapshot: u64, applied: u64 },
    #[error("entry {index} cannot be applied ({why}): stop etcd with SIGTERM instead of a kill, and try again")]
    Entry { index: u64, why: String },
    #[error(transparent)]
    Restore(#[from] RestoreError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Store(#[from] StoreFailure),
}

/// A stopped member of etcd. Holds the lock that etcd itself would take.
pub struct EtcdMember {
    backup: Backup,
    log: EtcdLog,
    applied: Position,
    /// Members by id, and whether they vote.
    members: BTreeMap<u64, bool>,
    _lock: File,
}

/// What was taken over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Migrated {
    pub revision: i64,
    pub compacted: i64,
    pub records: u64,
    pub leases: u64,
    /// Entries that the database lacked.
    pub replayed: u64,
    /// Entries that were left out, because nobody knows whether they were committed.
    pub left_out: u64,
}

impl EtcdMember {
    /// Reads database and log; changes nothing.
    pub fn open(data_dir: &Path, wal_dir: Option<&Path>) -> Result<Self, MigrateError> {
        let member = data_dir.join("member");
        let db = member.join("snap").join("db");
        let lock = lock(&db)?;
        let backup = Backup::open(&db)?;
        // Killed soon after its first start, a member has everything in its log.
        let applied = backup.position()?.unwrap_or_default();
        let wal = wal_dir.map_or_else(|| member.join("wal"), Path::to_path_buf);
        let log = EtcdLog::open(&wal, applied.index)?;
        if log.snapshot.index > applied.index {
            return Err(MigrateError::Receiving {
                snapshot: log.snapshot.index,
                applied: applied.index,
            });
        }
        let mut opened = Self {
            members: backup.member_votes()?,
            backup,
            log,
            applied,
            _lock: lock,
        };
        opened.follow_members()?;
        Ok(opened)
    }

    /// The membership as the log leaves it.
    fn follow_members(&mut self) -> Result<(), MigrateError> {
        for entry in self.log.entries(u64::MAX) {
            let EtcdContent::Configuration(change) = entry?.content else {
                continue;
            };
            match change.kind {
                ADD => drop(self.members.insert(change.member_id, true)),
                ADD_LEARNER => drop(self.members.insert(change.member_id, false)),
                REMOVE => drop(self.members.remove(&change.member_id)),
                _ => {}
            }
        }
        Ok(())
    }

    pub fn member_id(&self) -> u64 {
        self.log.owner.member_id
    }

    pub fn cluster_id(&self) -> u64 {
        self.log.owner.cluster_id
    }

    /// Members by id, and whether they vote.
    pub fn members(&self) -> &BTreeMap<u64, bool> {
        &self.members
    }

    /// File and offset where the last write was cut short.
    pub fn torn(&self) -> Option<(&Path, u64)> {
        self.log.torn.as_ref().map(|(path, at)| (path.as_path(), *at))
    }

    /// Who votes alone commits whatever it has logged: etcd does so at its next start. Of several, only what the log
    /// says to be committed counts.
    fn last_index(&self, all_entries: bool) -> u64 {
        let is_alone = self.members.len() <= 1;
        if is_alone || all_entries {
            self.log.last.index
        } else {
            self.log.commit.max(self.applied.index)
        }
    }

    /// Builds a store in `store_dir`, which must be absent or empty; of a member among several with all entries that it
    /// has logged, or with those that it knows to be committed. `progress` hears how many entries are applied.
    pub fn migrate(
        &self,
        store_dir: &Path,
        base: &Base,
        all_entries: bool,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Migrated, MigrateError> {
        let summary = load_backup(&self.backup, store_dir, self.applied)?;
        let (store, mut applier) = Store::open(store_dir, &Options::default())?;
        let last_index = self.last_index(all_entries);
        let (mut batch, mut bytes, mut replayed) = (Vec::new(), 0, 0);
        for entry in self.log.entries(last_index) {
            let entry = translate(entry?)?;
            bytes += request_bytes(&entry);
            batch.push(entry);
            if batch.len() >= BATCH_ENTRIES_MAX || bytes >= BATCH_BYTES_MAX {
                replayed += apply(&mut applier, &mut batch)?;
                bytes = 0;
                progress(replayed);
            }
        }
        replayed += apply(&mut applier, &mut batch)?;
        applier.rebase(base)?;
        store.persist()?;
        let view = store.view();
        Ok(Migrated {
            revision: view.revision(),
            compacted: view.compacted(),
            records: summary.records,
            leases: view.leases()?.len() as u64,
            replayed,
            left_out: self.log.last.index.saturating_sub(last_index.max(self.applied.index)),
        })
    }
}

/// The database's own lock: etcd takes it whenever it opens the file.
fn lock(db: &Path) -> Result<File, MigrateError> {
    let no_database = |source| MigrateError::NoDatabase {
        db: db.to_path_buf(),
        source,
    };
    let file = File::open(db).map_err(no_database)?;
    match file.try_lock_shared() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(MigrateError::InUse(db.to_path_buf())),
        Err(TryLockError::Error(source)) => Err(no_database(source)),
    }
}

fn apply(applier: &mut crate::Applier, batch: &mut Vec<Entry>) -> Result<u64, MigrateError> {
    for applied in applier.apply(batch)? {
        if let Err(ApplyError::Malformed(why)) = applied.answer {
            return Err(MigrateError::Entry {
                index: applied.position.index,
                why,
            });
        }
    }
    let count = batch.len() as u64;
    batch.clear();
    Ok(count)
}

/// Members, versions and what was said to etcd's old API stay behind: they are of the cluster that is left.
fn translate(entry: EtcdEntry) -> Result<Entry, MigrateError> {
    let position = entry.position;
    let content = match entry.content {
        EtcdContent::Configuration(_) => Content::Blank,
        EtcdContent::Request(bytes) => request(bytes).map_err(|why| MigrateError::Entry {
            index: position.index,
            why,
        })?,
    };
    Ok(Entry { position, content })
}

fn request(bytes: Bytes) -> Result<Content, String> {
    if bytes.is_empty() || is_old_api(&bytes) {
        return Ok(Content::Blank);
    }
    let request = InternalRaftRequest::decode(bytes.clone()).map_err(|why| why.to_string())?;
    let of_the_cluster = request.cluster_version_set.is_some()
        || request.cluster_member_attr_set.is_some()
        || request.downgrade_info_set.is_some()
        || request.downgrade_version_test.is_some();
    let added = request.auth_user_add.as_ref();
    let changed = request.auth_user_change_password.as_ref();
    let unhashed = added.is_some_and(|add| !add.password.is_empty() && add.hashed_password.is_empty())
        || changed.is_some_and(|change| !change.password.is_empty() && change.hashed_password.is_empty());
    if unhashed {
        return Err("it carries a password that etcd 3.4 hashes when it starts".to_owned());
    }
    // Reads went through the log once; they change nothing.
    let changes_nothing = request.range.is_some() || of_the_cluster;
    Ok(if changes_nothing {
        Content::Blank
    } else {
        Content::Request(bytes)
    })
}

/// Requests of etcd 2, which etcd up to 3.5 logs for members and versions: bare, or as field 2 of the envelope.
fn is_old_api(bytes: &Bytes) -> bool {
    #[derive(Clone, PartialEq, prost::Message)]
    struct Envelope {
        #[prost(bytes = "bytes", optional, tag = "2")]
        old: Option<Bytes>,
    }
    Envelope::decode(bytes.clone()).is_ok_and(|envelope| envelope.old.is_some())
}

fn request_bytes(entry: &Entry) -> usize {
    match &entry.content {
        Content::Request(bytes) | Content::Membership(bytes) => bytes.len(),
        Content::Blank => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/etcd-3.6")
    }

    fn base() -> Base {
        Base {
            position: Position { term: 0, index: 1 },
            membership: Bytes::from_static(b"the founders"),
        }
    }

    /// The numbers are those that etcd 3.6.14 gave before it was killed.
    #[test]
    fn what_stands_in_the_log_alone_comes_along() {
        let dir = tempfile::tempdir().unwrap();
        let member = EtcdMember::open(&fixture(), None).unwrap();
        assert_eq!(member.members().len(), 1);
        let migrated = member.migrate(dir.path(), &base(), false, &mut |_| {}).unwrap();
        assert_eq!((migrated.revision, migrated.left_out), (8, 0));
        assert!(migrated.replayed > 0);
        let (store, applier) = Store::open(dir.path(), &Options::default()).unwrap();
        let view = store.view();
        assert_eq!(view.hash_kv(0).unwrap().hash, 2_705_762_144);
        assert_eq!(view.leases().unwrap().len(), 1);
        assert_eq!(view.auth().users().count(), 1);
        assert_eq!(view.auth().roles().count(), 1);
        assert_eq!(applier.position(), base().position);
        assert_eq!(view.installed(), Some(base().position));
        assert_eq!(view.consensus_membership(), Some((base().position, base().membership)));
    }

    #[test]
    fn a_directory_in_use_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let snap = dir.path().join("member/snap");
        std::fs::create_dir_all(&snap).unwrap();
        std::fs::copy(fixture().join("member/snap/db"), snap.join("db")).unwrap();
        let etcd = File::open(snap.join("db")).unwrap();
        etcd.try_lock().unwrap();
        let refused = EtcdMember::open(dir.path(), None);
        assert!(matches!(refused, Err(MigrateError::InUse(_))));
    }

    #[test]
    fn requests_of_the_old_api_are_told_from_ours() {
        // ID 7, method "PUT", path "/0/members": as etcd 3.4 logs a member's name.
        let old = Bytes::from_static(b"\x08\x07\x12\x03PUT\x1a\x0a/0/members");
        assert!(matches!(request(old), Ok(Content::Blank)));
        let put = InternalRaftRequest {
            put: Some(taffrail_proto::etcdserverpb::PutRequest::default()),
            ..InternalRaftRequest::default()
        };
        assert!(matches!(request(put.encode_to_vec().into()), Ok(Content::Request(_))));
    }
}
