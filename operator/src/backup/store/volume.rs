//! Files on a volume: whole and safe on the disk before they have their name, and no name is taken twice.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::Created;
use crate::backup::progress::Progress;
use crate::backup::{Failure, Reason};

/// Begins the ending of files that are being written; digits follow. Lists of objects leave such names out.
const DRAFT: &str = "#";

/// A file that has no name yet.
pub struct Draft {
    at: PathBuf,
    path: PathBuf,
    root: PathBuf,
    file: Option<File>,
}

/// A small file under a name that is free.
pub async fn create(root: &Path, path: &object_store::path::Path, bytes: Bytes) -> Result<Created, Failure> {
    let mut draft = Draft::begin(root, path).await?;
    let written = async {
        draft.write(bytes, &Arc::new(Progress::default())).await?;
        draft.complete().await
    }
    .await;
    if written.is_err() {
        draft.abort().await.ok();
    }
    written
}

impl Draft {
    /// Drafts of the same file that a crash left behind are removed. Should their writer live after all, it finds its
    /// draft gone and fails: no two ever write to one.
    pub async fn begin(root: &Path, path: &object_store::path::Path) -> Result<Self, Failure> {
        let (root, path) = (root.to_owned(), root.join(path.as_ref()));
        blocking(move || {
            let at = draft_of(&path);
            let folder = path.parent().unwrap_or(&root);
            fs::create_dir_all(folder).map_err(|error| Failure::disk(folder, &error))?;
            remove_drafts(folder, &path)?;
            let file = OpenOptions::new().write(true).create_new(true).open(&at);
            let file = Some(file.map_err(|error| Failure::disk(&at, &error))?);
            Ok(Self { at, path, root, file })
        })
        .await
    }

    pub async fn write(&mut self, bytes: Bytes, progress: &Arc<Progress>) -> Result<(), Failure> {
        let mut file = self.file.take().ok_or_else(|| ended(&self.at))?;
        let (at, progress) = (self.at.clone(), progress.clone());
        let file = blocking(move || {
            file.write_all(&bytes).map_err(|error| Failure::disk(&at, &error))?;
            progress.moved(bytes.len());
            Ok(file)
        });
        self.file = Some(file.await?);
        Ok(())
    }

    pub async fn complete(&mut self) -> Result<Created, Failure> {
        let file = self.file.take().ok_or_else(|| ended(&self.at))?;
        let (at, path, root) = (self.at.clone(), self.path.clone(), self.root.clone());
        blocking(move || {
            file.sync_all().map_err(|error| Failure::disk(&at, &error))?;
            let created = give_name(&at, &path).map_err(|error| Failure::disk(&path, &error))?;
            if created == Created::Exists {
                fs::remove_file(&at).map_err(|error| Failure::disk(&at, &error))?;
            }
            sync_folders(&path, &root)?;
            Ok(created)
        })
        .await
    }

    pub async fn abort(&mut self) -> Result<(), Failure> {
        self.file = None;
        let at = self.at.clone();
        blocking(move || match fs::remove_file(&at) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::disk(&at, &error)),
            _ => Ok(()),
        })
        .await
    }
}

fn draft_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    let number: u32 = (0..4).fold(0, |number, _| number << 8 | u32::from(crate::backoff::chance()));
    name.push(format!("{DRAFT}{number}"));
    name.into()
}

fn remove_drafts(folder: &Path, path: &Path) -> Result<(), Failure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for entry in fs::read_dir(folder)
        .map_err(|error| Failure::disk(folder, &error))?
        .filter_map(Result::ok)
    {
        let found = entry.file_name().to_string_lossy().into_owned();
        let number = found
            .strip_prefix(&name)
            .and_then(|rest| rest.strip_prefix(DRAFT))
            .unwrap_or_default();
        if number.bytes().all(|byte| byte.is_ascii_digit()) && !number.is_empty() {
            fs::remove_file(entry.path()).map_err(|error| Failure::disk(&entry.path(), &error))?;
        }
    }
    Ok(())
}

/// A rename that takes no name twice; where the file system has none, a link.
fn give_name(at: &Path, path: &Path) -> io::Result<Created> {
    match renameat_with(CWD, at, CWD, path, RenameFlags::NOREPLACE).map_err(io::Error::from) {
        Ok(()) => Ok(Created::Yes),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Created::Exists),
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            link(at, path)
        }
        Err(error) => Err(error),
    }
}

fn link(at: &Path, path: &Path) -> io::Result<Created> {
    match fs::hard_link(at, path) {
        Ok(()) => fs::remove_file(at).map(|()| Created::Yes),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Created::Exists),
        Err(error) => Err(error),
    }
}

/// The file's name is in its folder, the folder's in the one above.
fn sync_folders(path: &Path, root: &Path) -> Result<(), Failure> {
    for folder in path.ancestors().skip(1).take_while(|folder| folder.starts_with(root)) {
        let synced = File::open(folder).and_then(|opened| opened.sync_all());
        synced.map_err(|error| Failure::disk(folder, &error))?;
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Failure::new(Reason::Failed, format!("a thread ended: {error}"))))
}

fn ended(at: &Path) -> Failure {
    Failure::new(Reason::Failed, format!("{} has been ended already", at.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> object_store::path::Path {
        object_store::path::Path::parse(name).unwrap()
    }

    #[tokio::test]
    async fn a_name_appears_once_the_bytes_are_whole_and_is_never_taken_twice() {
        let (volume, name) = (tempfile::tempdir().unwrap(), path("a/b/c.snap"));
        let progress = Arc::<Progress>::default();
        let mut draft = Draft::begin(volume.path(), &name).await.unwrap();
        draft.write(Bytes::from_static(b"one"), &progress).await.unwrap();
        assert!(!volume.path().join("a/b/c.snap").exists());
        assert_eq!(draft.complete().await, Ok(Created::Yes));
        let again = create(volume.path(), &name, Bytes::from_static(b"two")).await;
        assert_eq!(again, Ok(Created::Exists));
        assert_eq!(fs::read(volume.path().join("a/b/c.snap")).unwrap(), b"one");
        assert_eq!(
            fs::read_dir(volume.path().join("a/b")).unwrap().count(),
            1,
            "no draft is left"
        );
        assert_eq!(progress.bytes(), 3);
    }

    #[tokio::test]
    async fn two_who_write_the_same_do_not_write_into_one_another() {
        let (volume, name) = (tempfile::tempdir().unwrap(), path("c.snap"));
        let mut old = Draft::begin(volume.path(), &name).await.unwrap();
        old.write(Bytes::from_static(b"old"), &Arc::default()).await.unwrap();
        let mut new = Draft::begin(volume.path(), &name).await.unwrap();
        new.write(Bytes::from_static(b"new"), &Arc::default()).await.unwrap();
        assert!(old.complete().await.is_err());
        assert_eq!(new.complete().await, Ok(Created::Yes));
        assert_eq!(fs::read(volume.path().join("c.snap")).unwrap(), b"new");
    }

    #[tokio::test]
    async fn what_is_aborted_leaves_nothing() {
        let volume = tempfile::tempdir().unwrap();
        let mut draft = Draft::begin(volume.path(), &path("a/c")).await.unwrap();
        draft.write(Bytes::from_static(b"one"), &Arc::default()).await.unwrap();
        draft.abort().await.unwrap();
        assert_eq!(fs::read_dir(volume.path().join("a")).unwrap().count(), 0);
    }

    #[test]
    fn where_there_is_no_such_rename_a_link_does_it() {
        let volume = tempfile::tempdir().unwrap();
        let (at, path) = (volume.path().join("a"), volume.path().join("b"));
        fs::write(&at, "one").unwrap();
        assert_eq!(link(&at, &path).unwrap(), Created::Yes);
        fs::write(&at, "two").unwrap();
        assert_eq!(link(&at, &path).unwrap(), Created::Exists);
        assert_eq!((fs::read_to_string(&path).unwrap(), at.exists()), ("one".into(), true));
    }
}
