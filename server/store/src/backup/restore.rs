//! A snapshot file as the start of a new store.
//!
//! Members, the cluster version and the place in the log belong to the cluster the snapshot was taken of: a restored
//! member founds a new one, so they are left behind, as etcd's own tool does. Alarms, users and roles stay, as they do
//! there.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::open::{Backup, OpenBackupError};
use super::survivors::Survivors;
use crate::{LoadMeta, OpenError, Options, Position, Store, StoreFailure, StoredRevision};

/// The revision of an empty store.
const FIRST_REVISION: i64 = 1;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RestoreOptions {
    /// How far to raise the revision above the snapshot's, so that clients of the lost cluster see none twice.
    pub bump_revision: u64,
    /// Nothing below the raised revision can be read, so that watchers of the lost cluster start over.
    pub mark_compacted: bool,
    /// Takes a file without a checksum, or with a wrong one.
    pub skip_hash_check: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RestoreSummary {
    pub revision: i64,
    /// The oldest readable revision, -1 if all are.
    pub compacted: i64,
    pub records: u64,
    pub leases: u64,
}

/// Why a snapshot could not be restored. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error(transparent)]
    Snapshot(#[from] OpenBackupError),
    #[error("{dir} is not empty: restore into a folder that does not exist yet", dir = .0.display())]
    NotEmpty(PathBuf),
    #[error(
        "--bump-revision and --mark-compacted are needed together: one alone would let clients read revisions that never were"
    )]
    HalfBump,
    #[error("a revision cannot be raised by {by} from {from}")]
    BumpTooFar { from: i64, by: u64 },
    #[error("cannot put the restored store in place: {0}")]
    Folder(io::Error),
    #[error(transparent)]
    Store(#[from] OpenError),
}

/// Where a restored state stands in the log of the cluster that it founds, and who founds it.
///
/// The log begins after it: what the state holds is in no entry, so a member that joins later must get the state.
#[derive(Debug, Clone)]
pub struct Base {
    pub position: Position,
    pub membership: Bytes,
}

/// Builds a store in `store_dir`, which must be absent or empty, from the snapshot file at `path`. Without a base it
/// can only be looked at.
pub fn restore(
    path: &Path,
    store_dir: &Path,
    options: &RestoreOptions,
    base: Option<Base>,
) -> Result<RestoreSummary, RestoreError> {
    let RestoreOptions {
        bump_revision,
        mark_compacted,
        skip_hash_check,
    } = *options;
    if mark_compacted != (bump_revision > 0) {
        return Err(RestoreError::HalfBump);
    }
    check_empty(store_dir)?;
    let backup = if skip_hash_check {
        Backup::open(path)?
    } else {
        Backup::open_checked(path)?
    };
    let (mut revision, mut compacted) = (newest_revision(&backup)?, backup.compacted()?);
    if mark_compacted {
        revision = bumped(revision, bump_revision)?;
        compacted = revision;
    }
    let meta = LoadMeta {
        compacted,
        revision,
        position: base.as_ref().map_or_else(Position::default, |base| base.position),
        membership: base.map(|base| (base.position, base.membership)),
        ..LoadMeta::default()
    };
    load_beside(&backup, store_dir, meta)
}

/// The same without a new cluster: the state stands where it stood in its own log.
pub(super) fn load_backup(backup: &Backup, dir: &Path, position: Position) -> Result<RestoreSummary, RestoreError> {
    check_empty(dir)?;
    let meta = LoadMeta {
        compacted: backup.compacted()?,
        revision: newest_revision(backup)?,
        position,
        ..LoadMeta::default()
    };
    load_beside(backup, dir, meta)
}

fn check_empty(dir: &Path) -> Result<(), RestoreError> {
    let is_empty = match std::fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    if is_empty {
        Ok(())
    } else {
        Err(RestoreError::NotEmpty(dir.to_path_buf()))
    }
}

/// As etcd counts when it starts on such data: compaction may have removed the newest records.
fn newest_revision(backup: &Backup) -> Result<i64, OpenBackupError> {
    let mut newest = backup.compacted()?.max(FIRST_REVISION);
    for record in backup.records()? {
        newest = newest.max(record?.revision.main);
    }
    Ok(newest)
}

fn bumped(from: i64, by: u64) -> Result<i64, RestoreError> {
    // Half of the number space is more than any cluster reaches, and leaves room to go on.
    let raised = from.checked_add_unsigned(by).filter(|raised| *raised < i64::MAX / 2);
    raised.ok_or(RestoreError::BumpTooFar { from, by })
}

/// Builds the store under another name first: one that was interrupted must never be taken for a whole one.
/// Leases, alarms, users and roles come from the file.
fn load_beside(backup: &Backup, dir: &Path, meta: LoadMeta) -> Result<RestoreSummary, RestoreError> {
    let meta = LoadMeta {
        leases: backup.leases()?,
        alarms: backup.alarms()?,
        auth: backup.auth()?,
        ..meta
    };
    let mut summary = RestoreSummary {
        revision: meta.revision,
        compacted: meta.compacted,
        leases: meta.leases.len() as u64,
        records: 0,
    };
    let unfinished = dir.with_extension("unfinished");
    match std::fs::remove_dir_all(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(RestoreError::Folder(error)),
        _ => {}
    }
    summary.records = load(backup, &unfinished, meta)?;
    put_in_place(&unfinished, dir).map_err(RestoreError::Folder)?;
    Ok(summary)
}

fn put_in_place(unfinished: &Path, dir: &Path) -> io::Result<()> {
    std::fs::rename(unfinished, dir)?;
    let parent = dir
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

fn load(backup: &Backup, dir: &Path, meta: LoadMeta) -> Result<u64, RestoreError> {
    let survivors = Survivors::find(backup, meta.compacted)?;
    let mut records = 0;
    // The store's loader knows only failures of its own kind, so that of the file is kept aside.
    let mut failed = None;
    let wanted = backup.records()?.filter_map(|record| match record {
        Ok(record) => is_wanted(&record, &survivors).then_some(Ok(record)),
        Err(error) => {
            failed = Some(error);
            Some(Err(StoreFailure::Damaged("snapshot".to_owned())))
        }
    });
    let loaded = Store::load(dir, &Options::default(), meta, wanted.inspect(|_| records += 1));
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(loaded.map(|()| records)?),
    }
}

/// A revision bumped by etcd's tool is marked by a record without a key; it carries nothing but its number.
fn is_wanted(record: &StoredRevision, survivors: &Survivors) -> bool {
    !record.kv.key.is_empty() && survivors.contains(record)
}
