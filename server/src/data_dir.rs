//! The data directory: who lives here, and whether we may.
//!
//! ```text
//! DATA/member/LOCK           held for as long as a process lives here
//! DATA/member/identity.json  which member of which cluster this is; written before anything else
//! DATA/member/removed        there once the member has learnt that it was removed from its cluster
//! DATA/member/wal/           segments of the raft log
//! DATA/member/store/         the state
//! DATA/member/scratch/       files that live as long as a request; emptied at start
//! ```

use std::collections::hash_map::RandomState;
use std::fs::{self, File, TryLockError};
use std::hash::{BuildHasher, Hasher};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::config::{FirstMember, Seat};

/// The layout that this version writes; it reads no newer one.
const FORMAT: u64 = 1;

/// An open, locked data directory.
pub struct DataDir {
    root: PathBuf,
    wal: PathBuf,
    pub identity: Identity,
    _lock: File,
}

/// A directory that was found and locked.
pub enum Locked {
    /// A member lives here; its flags about the cluster are not looked at any more.
    Claimed(DataDir),
    /// Nobody does: find out who it is to be, then [`Unclaimed::claim`].
    Unclaimed(Unclaimed),
}

/// An empty, locked data directory.
pub struct Unclaimed {
    root: PathBuf,
    wal: PathBuf,
    lock: File,
}

/// Which member of which cluster lives here. Never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    format: u64,
    pub cluster_id: u64,
    pub member_id: u64,
    /// Drawn when the directory was made: tells a member that lost its data from the one that had it. 0 in
    /// directories of the first release.
    #[serde(default)]
    pub incarnation: u64,
    /// The first membership, in the directory of a founder; empty in that of a member that joined.
    #[serde(rename = "members", default)]
    pub founders: Vec<Founder>,
}

/// A member of the first membership.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Founder {
    pub id: u64,
    pub name: String,
    pub peer_urls: Vec<String>,
}

/// Its presence is what counts.
const REMOVED: &str = "removed";

impl DataDir {
    /// Finds the directory, makes it if it is not there, and locks it.
    ///
    /// # Errors
    /// Each says what to do: in use, foreign, newer, damaged, of a removed member, or not writable.
    pub fn lock(data_dir: &Path, wal_dir: Option<&Path>) -> Result<Locked> {
        let root = data_dir.join("member");
        refuse_etcd(data_dir, &root)?;
        create(&root)?;
        let lock = lock(&root)?;
        refuse_removed(data_dir, &root)?;
        let wal = wal_dir.map_or_else(|| root.join("wal"), Path::to_owned);
        match read_identity(&root)? {
            Some(identity) => DataDir::of(root, wal, lock, identity).map(Locked::Claimed),
            None => {
                refuse_orphans(&root, &wal)?;
                Ok(Locked::Unclaimed(Unclaimed { root, wal, lock }))
            }
        }
    }

    fn of(root: PathBuf, wal: PathBuf, lock: File, identity: Identity) -> Result<DataDir> {
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

    /// Remembers, durably, that the member was removed: it must never take part again.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn mark_removed(&self) -> Result<()> {
        let path = self.root.join(REMOVED);
        let written = File::create(&path).and_then(|file| file.sync_all());
        written.with_context(|| format!("cannot write {}", path.display()))?;
        sync_dir(&self.root)
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

impl Unclaimed {
    /// Makes a member of the directory: from now on it is the one in this seat.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn claim(self, seat: &Seat) -> Result<DataDir> {
        let identity = Identity::new(seat);
        write_identity(&self.root, &identity)?;
        DataDir::of(self.root, self.wal, self.lock, identity)
    }
}

/// Makes a member out of nothing but a store, which `fill` writes: the way of a restore. What is there stays.
///
/// # Errors
/// If the directory is not empty, or `fill` fails; then nothing is left behind.
pub fn restore_into(data_dir: &Path, seat: &Seat, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
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
    let filled = fill(&store_in(&aside)).and_then(|()| write_identity(&aside, &Identity::new(seat)));
    if let Err(error) = filled {
        // What is left of it is told apart by its name and removed by the next try.
        let _ = fs::remove_dir_all(&aside);
        return Err(error);
    }
    fs::rename(&aside, &root).with_context(|| format!("cannot move into {}", root.display()))?;
    sync_dir(data_dir)
}

impl Identity {
    fn new(seat: &Seat) -> Self {
        let founder = |member: &FirstMember| Founder {
            id: member.id,
            name: member.name.clone(),
            peer_urls: member.peer_urls.clone(),
        };
        Identity {
            format: FORMAT,
            cluster_id: seat.cluster_id,
            member_id: seat.member_id,
            incarnation: draw(),
            founders: seat.founders.iter().map(founder).collect(),
        }
    }
}

/// A number that was never drawn before. Std's hasher is seeded by the system.
fn draw() -> u64 {
    RandomState::new().build_hasher().finish().max(1)
}

pub(crate) fn store_in(root: &Path) -> PathBuf {
    root.join("store")
}

fn refuse_etcd(data_dir: &Path, root: &Path) -> Result<()> {
    if root.join("snap").join("db").exists() {
        bail!(
            "{} holds data of etcd itself: stop etcd and take it over with `taffrail migrate --from-etcd-dir` into a new \
             directory, or take a snapshot with `etcdctl snapshot save` and restore that with `taffrail snapshot restore`",
            data_dir.display()
        );
    }
    Ok(())
}

fn refuse_removed(data_dir: &Path, root: &Path) -> Result<()> {
    ensure!(
        !root.join(REMOVED).exists(),
        "the member has been permanently removed from the cluster: to use {} again, remove it, add the member to the \
         cluster anew and start it with --initial-cluster-state=existing",
        data_dir.display()
    );
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

pub(crate) fn read_identity(root: &Path) -> Result<Option<Identity>> {
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

fn refuse_orphans(root: &Path, wal: &Path) -> Result<()> {
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
    Ok(())
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

    fn seat() -> Seat {
        let peer_urls = vec!["http://localhost:2380".to_owned()];
        Seat {
            member_id: 7,
            cluster_id: 9,
            founders: vec![FirstMember {
                id: 7,
                name: "a".into(),
                peer_urls,
            }],
        }
    }

    fn open(dir: &Path) -> Result<DataDir> {
        match DataDir::lock(dir, None)? {
            Locked::Claimed(dir) => Ok(dir),
            Locked::Unclaimed(empty) => empty.claim(&seat()),
        }
    }

    fn refusal(dir: &Path) -> String {
        format!("{:#}", open(dir).err().expect("refused"))
    }

    #[test]
    fn an_identity_outlives_the_process() {
        let dir = tempfile::tempdir().expect("temp dir");
        let identity = open(dir.path()).expect("fresh").identity;
        assert_eq!((identity.member_id, identity.cluster_id), (7, 9));
        assert_eq!(open(dir.path()).expect("known").identity, identity);
    }

    #[test]
    fn a_directory_made_anew_has_another_incarnation() {
        let (one, other) = (tempfile::tempdir().expect("dir"), tempfile::tempdir().expect("dir"));
        let incarnation = |dir: &Path| open(dir).expect("fresh").identity.incarnation;
        assert_ne!(incarnation(one.path()), incarnation(other.path()));
        assert_ne!(incarnation(one.path()), 0);
    }

    #[test]
    fn directories_of_the_first_release_are_read() {
        let text = r#"{"format":1,"cluster_id":9,"member_id":7,"members":[{"id":7,"name":"a","peer_urls":["u"]}]}"#;
        let identity = parse_identity(text).expect("valid");
        assert_eq!((identity.incarnation, identity.founders.len()), (0, 1));
    }

    #[test]
    fn a_removed_member_does_not_come_back() {
        let dir = tempfile::tempdir().expect("temp dir");
        open(dir.path()).expect("fresh").mark_removed().expect("marked");
        let refusal = refusal(dir.path());
        let sentence = "the member has been permanently removed from the cluster: ";
        assert!(refusal.starts_with(sentence), "{refusal}");
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
        assert!(restore_into(dir.path(), &seat(), |_| bail!("no")).is_err());
        assert!(!has_entries(dir.path()));
        restore_into(dir.path(), &seat(), |store| Ok(fs::create_dir_all(store)?)).expect("restored");
        assert!(restore_into(dir.path(), &seat(), |_| Ok(())).is_err());
        assert_eq!(open(dir.path()).expect("restored").identity.cluster_id, 9);
    }
}
