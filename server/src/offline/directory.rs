//! The data directory of a stopped member, held so that none starts on it meanwhile.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::data_dir::{self, Identity};

/// A directory whose member does not run.
pub struct Stopped {
    pub root: PathBuf,
    pub wal: PathBuf,
    pub identity: Identity,
    /// None in a directory that was restored and never started.
    _lock: Option<File>,
}

impl Stopped {
    /// Takes the member's lock without writing anything.
    ///
    /// # Errors
    /// Each says what to do: no member lives here, one runs on it, or its identity is damaged.
    pub fn open(data_dir: &Path, wal_dir: Option<&Path>) -> Result<Self> {
        let root = data_dir.join("member");
        if root.join("snap").join("db").exists() {
            bail!(
                "{} is the data directory of an etcd member: take it over with `taffrail migrate --from-etcd-dir`",
                data_dir.display()
            );
        }
        let lock = lock(&root)?;
        let Some(identity) = data_dir::read_identity(&root)? else {
            bail!(
                "{} is not the data directory of a member: {} is missing",
                data_dir.display(),
                root.join("identity.json").display()
            );
        };
        Ok(Self {
            wal: wal_dir.map_or_else(|| root.join("wal"), Path::to_owned),
            root,
            identity,
            _lock: lock,
        })
    }

    pub fn store(&self) -> PathBuf {
        data_dir::store_in(&self.root)
    }
}

fn lock(root: &Path) -> Result<Option<File>> {
    let path = root.join("LOCK");
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot open {}", path.display())),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => bail!("a member runs on {}: stop it first", root.display()),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(dir: &Path) -> String {
        format!("{:#}", Stopped::open(dir, None).err().expect("refused"))
    }

    #[test]
    fn what_is_no_stopped_member_is_refused() {
        let dir = tempfile::tempdir().expect("temp dir");
        assert!(refusal(dir.path()).contains("identity.json is missing"));
        let root = dir.path().join("member");
        std::fs::create_dir_all(root.join("snap")).expect("made");
        let running = File::create(root.join("LOCK")).expect("made");
        running.try_lock().expect("locked");
        assert!(refusal(dir.path()).contains("stop it first"));
        std::fs::write(root.join("snap/db"), b"bolt").expect("written");
        assert!(refusal(dir.path()).contains("taffrail migrate --from-etcd-dir"));
    }
}
