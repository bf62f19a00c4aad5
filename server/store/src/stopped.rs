//! The store of a stopped member, opened without changing it.
//!
//! The engine repairs and tidies up whenever it opens a folder, so it is given another one: tables, which never change,
//! as links, and all else, which is small, as a copy. What is applied here goes with this value.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::home::Home;
use crate::{Applied, Applier, Entry, OpenError, Options, Store, StoreFailure};

/// The engine's folder of tables, below each keyspace.
const TABLES: &str = "tables";
const ENGINE: &str = "engine";
const JOURNAL: &str = "jnl";
/// Nothing is read twice.
const CACHE_BYTES: u64 = 16 << 20;

pub struct StoppedStore {
    store: Store,
    applier: Applier,
    cut: Vec<CutJournal>,
    /// Dropped last.
    _copy: TempDir,
}

/// A journal of the engine whose end could not be read. What stood there is taken from the raft log at a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutJournal {
    pub file: PathBuf,
    pub offset: u64,
    pub lost_bytes: u64,
}

impl StoppedStore {
    /// Needs room for the engine's journals among the temporary files.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let copy = tempfile::Builder::new().prefix("taffrail-").tempdir();
        let copy = copy.map_err(StoreFailure::from)?;
        mirror(dir, copy.path()).map_err(StoreFailure::from)?;
        let options = Options {
            cache_bytes: CACHE_BYTES,
            ..Options::default()
        };
        let (store, applier) = Store::open(copy.path(), &options).map_err(|why| of_origin(why, dir))?;
        let cut = cut_journals(dir, copy.path()).map_err(StoreFailure::from)?;
        Ok(Self {
            store,
            applier,
            cut,
            _copy: copy,
        })
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    pub fn cut_journals(&self) -> &[CutJournal] {
        &self.cut
    }

    /// Takes entries that the log holds and the state lacks.
    pub fn apply(&mut self, entries: &[Entry]) -> Result<Vec<Applied>, StoreFailure> {
        self.applier.apply(entries)
    }
}

/// Messages should name the folder that was asked for.
fn of_origin(why: OpenError, origin: &Path) -> OpenError {
    let dir = origin.to_path_buf();
    match why {
        OpenError::Newer { found, known, .. } => OpenError::Newer { dir, found, known },
        OpenError::InUse { .. } => OpenError::InUse { dir },
        OpenError::Damaged { why, .. } => OpenError::Damaged { dir, why },
        OpenError::Failure(why) => OpenError::Failure(why),
    }
}

/// Files beside the stores, and the newest store.
fn mirror(dir: &Path, into: &Path) -> io::Result<()> {
    copy_files(dir, into)?;
    let home = Home::newest(dir)?.path();
    let copied = home
        .strip_prefix(dir)
        .map_or(into.to_path_buf(), |inside| into.join(inside));
    fs::create_dir_all(&copied)?;
    if copied != into {
        copy_files(&home, &copied)?;
    }
    let engine = home.join(ENGINE);
    if engine.exists() {
        mirror_engine(&engine, &copied.join(ENGINE))?;
    }
    Ok(())
}

fn copy_files(from: &Path, into: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), into.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn mirror_engine(from: &Path, into: &Path) -> io::Result<()> {
    fs::create_dir_all(into)?;
    let are_tables = from.file_name().is_some_and(|name| name == TABLES);
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, copied) = (entry.path(), into.join(entry.file_name()));
        match entry.file_type()?.is_dir() {
            true => mirror_engine(&path, &copied)?,
            false if are_tables => symlink(fs::canonicalize(path)?, copied)?,
            false => drop(fs::copy(path, copied)?),
        }
    }
    Ok(())
}

/// The engine cuts a journal behind the last batch that it can read.
fn cut_journals(dir: &Path, copy: &Path) -> io::Result<Vec<CutJournal>> {
    let home = Home::newest(dir)?.path();
    let inside = home.strip_prefix(dir).unwrap_or(Path::new("")).join(ENGINE);
    let mut cut = Vec::new();
    for entry in fs::read_dir(dir.join(&inside))? {
        let entry = entry?;
        let copied = copy.join(&inside).join(entry.file_name());
        let is_journal = entry.path().extension().is_some_and(|kind| kind == JOURNAL);
        if is_journal && let Ok(after) = fs::metadata(copied) {
            let lost_bytes = written_bytes(&entry.path())?.saturating_sub(after.len());
            cut.extend((lost_bytes > 0).then(|| CutJournal {
                file: entry.path(),
                offset: after.len(),
                lost_bytes,
            }));
        }
    }
    Ok(cut)
}

/// A journal is filled with zeroes beforehand; they count for nothing.
fn written_bytes(path: &Path) -> io::Result<u64> {
    let bytes = fs::read(path)?;
    Ok(bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last as u64 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Content, Position};
    use prost::Message;
    use std::collections::BTreeMap;
    use taffrail_proto::etcdserverpb::{InternalRaftRequest, PutRequest};

    fn put(index: u64) -> Entry {
        let put = PutRequest {
            key: format!("key {index}").into(),
            value: vec![index as u8; 100].into(),
            ..PutRequest::default()
        };
        let request = InternalRaftRequest {
            put: Some(put),
            ..InternalRaftRequest::default()
        };
        Entry {
            position: Position { term: 1, index },
            content: Content::Request(request.encode_to_vec().into()),
        }
    }

    fn files(dir: &Path, into: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => files(&path, into),
                false => drop(into.insert(path.clone(), fs::read(&path).unwrap())),
            }
        }
    }

    #[test]
    fn nothing_is_changed_whatever_is_applied() {
        let dir = tempfile::tempdir().unwrap();
        let (store, mut applier) = Store::open(dir.path(), &Options::default()).unwrap();
        applier.apply(&(1..=100).map(put).collect::<Vec<_>>()).unwrap();
        store.clean().unwrap();
        drop((store, applier));
        let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
        files(dir.path(), &mut before);
        let mut stopped = StoppedStore::open(dir.path()).unwrap();
        stopped.apply(&(101..=200).map(put).collect::<Vec<_>>()).unwrap();
        assert_eq!(stopped.store().view().revision(), 201);
        assert!(stopped.cut_journals().is_empty());
        drop(stopped);
        files(dir.path(), &mut after);
        assert_eq!(after, before);
    }
}
