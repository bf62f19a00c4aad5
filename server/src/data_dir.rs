//! The data directory: who lives here, and whether we may.
//!
//! ```text
//! DATA/member/LOCK           held for as long as a process lives here
//! DATA/member/identity.json  which member of which cluster this is; written before anything else
//! DATA/member/wal/           segments of the raft log
//! DATA/member/store/         the state
//! DATA/member/scratch/       files that live as long as a request; emptied at start
//! ```

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::config::Bootstrap;

/// The layout that this version writes; it reads no newer one.
const FORMAT: u64 = 1;

/// An open, locked data directory.
pub struct DataDir {
    root: PathBuf,
    wal: PathBuf,
    pub identity: Identity,
    _lock: File,
}

/// Which member of which cluster lives here. Never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    format: u64,
    pub cluster_id: u64,
    pub member_id: u64,
    pub members: Vec<Founder>,
}

/// A member of the first membership.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Founder {
    pub id: u64,
    pub name: String,
    pub peer_urls: Vec<String>,
}

impl DataDir {
    /// Opens the directory of a member, or makes it one by `bootstrap` if it is empty.
    ///
    /// # Errors
    /// Each says what to do: in use, foreign, newer, damaged, or not writable.
    pub fn open(data_dir: &Path, wal_dir: Option<&Path>, bootstrap: &Bootstrap) -> Result<DataDir> {
        let root = data_dir.join("member");
        refuse_etcd(data_dir, &root)?;
        create(&root)?;
        let lock = lock(&root)?;
        let wal = wal_dir.map_or_else(|| root.join("wal"), Path::to_owned);
        let identity = match read_identity(&root)? {
            Some(identity) => identity,
            None => found(&root, &wal, bootstrap)?,
        };
        let dir = DataDir {
            root,
            wal,
            identity,
            _lock: lock,
        };
        create(&dir.wal)?;
        dir.empty_scratch()?;
        Ok(dir)
    }

    pub fn wal(&self) -> &Path {
        &self.wal
    }

    pub fn store(&self) -> PathBuf {
        store_in(&self.root)
    }

    pub fn scratch(&self) -> PathBuf {
        self.root.join("scratch")
    }

    fn empty_scratch(&self) -> Result<()> {
        let scratch = self.scratch();
        if scratch.exists() {
            fs::remove_dir_all(&scratch).with_context(|| format!("cannot empty {}", scratch.display()))?;
        }
        create(&scratch)
    }
}

/// Makes a member out of nothing but a store, which `fill` writes: the way of a restore. What is there stays.
///
/// # Errors
/// If the directory is not empty, or `fill` fails; then nothing is left behind.
pub fn restore_into(data_dir: &Path, bootstrap: &Bootstrap, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let root = data_dir.join("member");
    ensure!(
        !root.exists(),
        "data-dir {data_dir:?} not empty or could not be read: restore into an empty one"
    );
    // Everything is made aside and moved in one step, so that a crash leaves no half member.
    let aside = data_dir.join("member.restoring");
    if aside.exists() {
        fs::remove_dir_all(&aside).with_context(|| format!("cannot remove {}", aside.display()))?;
    }
    create(&aside)?;
    let filled = fill(&store_in(&aside)).and_then(|()| write_identity(&aside, &Identity::new(bootstrap)));
    if let Err(error) = filled {
        // What is left of it is told apart by its name and removed by the next try.
        let _ = fs::remove_dir_all(&aside);
        return Err(error);
    }
    fs::rename(&aside, &root).with_context(|| format!("cannot move into {}", root.display()))?;
    sync_dir(data_dir)
}

impl Identity {
    fn new(bootstrap: &Bootstrap) -> Self {
        let founder = |member: &crate::config::FirstMember| Founder {
            id: member.id,
            name: member.name.clone(),
            peer_urls: member.peer_urls.clone(),
        };
        let members = bootstrap.members.iter().map(founder).collect();
        Identity {
            format: FORMAT,
            cluster_id: bootstrap.cluster_id,
            member_id: bootstrap.member_id,
            members,
        }
    }
}

fn store_in(root: &Path) -> PathBuf {
    root.join("store")
}

fn refuse_etcd(data_dir: &Path, root: &Path) -> Result<()> {
    if root.join("snap").join("db").exists() {
        bail!(
            "{} holds data of etcd itself: take a snapshot of it with `etcdctl snapshot save` and restore that with \
             `taffrail snapshot restore` into a new directory",
            data_dir.display()
        );
    }
    Ok(())
}

/// Only the owner may look inside, as in etcd.
fn create(dir: &Path) -> Result<()> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.with_context(|| format!("cannot create {}: is it writable?", dir.display()))
}

fn lock(root: &Path) -> Result<File> {
    let path = root.join("LOCK");
    let file = File::create(&path).with_context(|| format!("cannot write {}: is it writable?", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!(
                "{} is in use by another process: stop that one first, or use another --data-dir",
                root.display()
            )
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}

fn read_identity(root: &Path) -> Result<Option<Identity>> {
    let path = root.join("identity.json");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    parse_identity(&text)
        .with_context(|| path.display().to_string())
        .map(Some)
}

fn parse_identity(text: &str) -> Result<Identity> {
    #[derive(Deserialize)]
    struct Format {
        format: u64,
    }
    let damaged = "it is damaged: restore the member from a snapshot, or remove it from its cluster and add it empty";
    let Format { format } = serde_json::from_str(text).context(damaged)?;
    ensure!(
        format <= FORMAT,
        "format {format} is newer than this version knows ({FORMAT}): start a newer version"
    );
    serde_json::from_str(text).context(damaged)
}

fn found(root: &Path, wal: &Path, bootstrap: &Bootstrap) -> Result<Identity> {
    let orphaned = [wal.to_owned(), store_in(root)]
        .into_iter()
        .find(|dir| has_entries(dir));
    if let Some(dir) = orphaned {
        bail!(
            "{} has data, but identity.json is missing beside it: it is not known whose they are. Bring the file back, \
             or restore from a snapshot into an empty directory",
            dir.display()
        );
    }
    ensure!(
        !bootstrap.joining,
        "--initial-cluster-state=existing, but {} holds no member: this version cannot join a cluster",
        root.display()
    );
    let identity = Identity::new(bootstrap);
    write_identity(root, &identity)?;
    Ok(identity)
}

fn has_entries(dir: &Path) -> bool {
    fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some())
}

/// Written aside, synced, moved, synced: it is there whole or not at all.
fn write_identity(root: &Path, identity: &Identity) -> Result<()> {
    let (aside, path) = (root.join("identity.json.new"), root.join("identity.json"));
    let write = || -> Result<()> {
        let mut file = File::create(&aside)?;
        file.write_all(&serde_json::to_vec_pretty(identity)?)?;
        file.sync_all()?;
        fs::rename(&aside, &path)?;
        sync_dir(root)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .with_context(|| format!("cannot sync {}", dir.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FirstMember;

    fn bootstrap() -> Bootstrap {
        let peer_urls = vec!["http://localhost:2380".to_owned()];
        Bootstrap {
            member_id: 7,
            cluster_id: 9,
            joining: false,
            members: vec![FirstMember {
                id: 7,
                name: "a".into(),
                peer_urls,
            }],
        }
    }

    fn open(dir: &Path) -> Result<DataDir> {
        DataDir::open(dir, None, &bootstrap())
    }

    fn refusal(dir: &Path) -> String {
        format!("{:#}", open(dir).err().expect("refused"))
    }

    #[test]
    fn an_identity_outlives_the_process_and_other_flags() {
        let dir = tempfile::tempdir().expect("temp dir");
        drop(open(dir.path()).expect("fresh"));
        let other = Bootstrap {
            member_id: 8,
            ..bootstrap()
        };
        assert_eq!(
            DataDir::open(dir.path(), None, &other)
                .expect("known")
                .identity
                .member_id,
            7
        );
    }

    #[test]
    fn two_processes_do_not_share_a_directory() {
        let dir = tempfile::tempdir().expect("temp dir");
        let _first = open(dir.path()).expect("fresh");
        assert!(refusal(dir.path()).contains("in use by another process"));
    }

    #[test]
    fn etcds_own_directory_is_left_alone() {
        let dir = tempfile::tempdir().expect("temp dir");
        fs::create_dir_all(dir.path().join("member/snap")).expect("made");
        fs::write(dir.path().join("member/snap/db"), b"bolt").expect("written");
        assert!(refusal(dir.path()).contains("taffrail snapshot restore"));
    }

    #[test]
    fn newer_damaged_and_orphaned_directories_are_refused() {
        let dir = tempfile::tempdir().expect("temp dir");
        drop(open(dir.path()).expect("fresh"));
        let identity = dir.path().join("member/identity.json");
        fs::write(&identity, "{\"format\": 2}").expect("written");
        assert!(refusal(dir.path()).contains("start a newer version"));
        fs::write(&identity, "{\"form").expect("written");
        assert!(refusal(dir.path()).contains("it is damaged"));
        fs::remove_file(&identity).expect("removed");
        fs::write(dir.path().join("member/wal/1"), b"x").expect("written");
        assert!(refusal(dir.path()).contains("identity.json is missing"));
    }

    #[test]
    fn a_failed_restore_leaves_nothing() {
        let dir = tempfile::tempdir().expect("temp dir");
        assert!(restore_into(dir.path(), &bootstrap(), |_| bail!("no")).is_err());
        assert!(!has_entries(dir.path()));
        restore_into(dir.path(), &bootstrap(), |store| Ok(fs::create_dir_all(store)?)).expect("restored");
        assert!(restore_into(dir.path(), &bootstrap(), |_| Ok(())).is_err());
        assert_eq!(open(dir.path()).expect("restored").identity.cluster_id, 9);
    }
}
