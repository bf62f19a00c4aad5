//! A data directory is copied whole, for keeping a survivor's volume aside.
//!
//! Enters: two directories. Leaves: every byte of the first in the second, safe on the disk, and then a mark. Always
//! holds: nothing that was not begun here is written over, and there is no mark without a whole copy.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Written first: what is here was begun by a copy of this very source.
const BEGUN: &str = ".taffrail-copy-begun";
/// Written last: the copy is whole.
const DONE: &str = ".taffrail-copy-done";
/// A mark before it has its name.
const HALF_A_MARK: &str = ".taffrail-copy-mark";
/// File systems put it at the root of a volume.
const LOST_AND_FOUND: &str = "lost+found";
/// Deeper than any data directory.
const DEPTH_MAX: usize = 32;

/// Why nothing, or not everything, was copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error("{path}: {error}")]
    Io { path: PathBuf, error: io::Error },
    #[error("{0} is neither a file nor a directory")]
    Strange(PathBuf),
    #[error("{0} lies too deep")]
    Deep(PathBuf),
    #[error("{0} holds no file: there is nothing to keep")]
    Nothing(PathBuf),
    #[error("{0} holds something else already; nothing was written")]
    Occupied(PathBuf),
    #[error("{0} changed while it was copied")]
    Changed(PathBuf),
}

/// What was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    pub files: usize,
    pub bytes: u64,
    /// It had been done before.
    pub already: bool,
}

/// Copies `from` to `to`, which need not exist. Done again after a crash, it goes on; done again after it was done, it
/// does nothing.
///
/// # Errors
/// If `to` holds anything that is not a begun or finished copy of the same, or a disk fails.
pub fn copy(from: &Path, to: &Path) -> Result<Copied, CopyError> {
    let source = inventory(from)?;
    let identity = identity(from, &source)?;
    fs::create_dir_all(to).map_err(at(to))?;
    match marked(to, &identity)? {
        Mark::Done => return Ok(copied(&source, true)),
        Mark::Begun => {}
        Mark::None => write_mark(to, BEGUN, &identity)?,
    }
    for (name, entry) in &source {
        entry.copy(&from.join(name), &to.join(name))?;
    }
    settle(to, &source)?;
    finish(to, &identity)?;
    Ok(copied(&source, false))
}

fn copied(source: &Inventory, already: bool) -> Copied {
    let files = source.values().filter_map(|entry| match entry {
        Entry::File(bytes) => Some(*bytes),
        Entry::Directory => None,
    });
    Copied {
        files: files.clone().count(),
        bytes: files.sum(),
        already,
    }
}

enum Entry {
    Directory,
    /// Bytes.
    File(u64),
}

/// Everything in a directory by its path there; parents come before what is in them.
type Inventory = BTreeMap<PathBuf, Entry>;

fn inventory(root: &Path) -> Result<Inventory, CopyError> {
    let mut all = Inventory::new();
    walk(root, Path::new(""), 0, &mut all)?;
    match all.values().any(|entry| matches!(entry, Entry::File(_))) {
        true => Ok(all),
        false => Err(CopyError::Nothing(root.into())),
    }
}

fn walk(root: &Path, below: &Path, depth: usize, all: &mut Inventory) -> Result<(), CopyError> {
    let directory = root.join(below);
    if depth > DEPTH_MAX {
        return Err(CopyError::Deep(directory));
    }
    for entry in fs::read_dir(&directory).map_err(at(&directory))? {
        let entry = entry.map_err(at(&directory))?;
        let (name, path) = (below.join(entry.file_name()), entry.path());
        if depth == 0 && entry.file_name() == LOST_AND_FOUND {
            continue;
        }
        let meta = fs::symlink_metadata(&path).map_err(at(&path))?;
        if meta.is_dir() {
            all.insert(name.clone(), Entry::Directory);
            walk(root, &name, depth + 1, all)?;
        } else if meta.is_file() {
            all.insert(name, Entry::File(meta.len()));
        } else {
            return Err(CopyError::Strange(path));
        }
    }
    Ok(())
}

impl Entry {
    fn copy(&self, from: &Path, to: &Path) -> Result<(), CopyError> {
        match self {
            Self::Directory => fs::create_dir_all(to).map_err(at(to)),
            Self::File(bytes) => copy_file(from, to, *bytes),
        }
    }
}

fn copy_file(from: &Path, to: &Path, bytes: u64) -> Result<(), CopyError> {
    let mut source = File::open(from).map_err(at(from))?;
    let mut target = File::create(to).map_err(at(to))?;
    let written = io::copy(&mut source, &mut target).map_err(at(to))?;
    let permissions = source.metadata().map_err(at(from))?.permissions();
    target.set_permissions(permissions).map_err(at(to))?;
    target.sync_all().map_err(at(to))?;
    if written == bytes {
        Ok(())
    } else {
        Err(CopyError::Changed(from.into()))
    }
}

/// The names of files are in their directories, which must be safe too: the deepest first.
fn settle(to: &Path, source: &Inventory) -> Result<(), CopyError> {
    let directories = source.iter().filter(|(_, entry)| matches!(entry, Entry::Directory));
    for (name, _) in directories.rev() {
        sync_directory(&to.join(name))?;
    }
    sync_directory(to)?;
    to.parent().map_or(Ok(()), sync_directory)
}

fn sync_directory(path: &Path) -> Result<(), CopyError> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    File::open(path).and_then(|file| file.sync_all()).map_err(at(path))
}

enum Mark {
    None,
    Begun,
    Done,
}

/// What `to` says that it is. A directory that is not empty and says nothing, or something else, is not touched.
fn marked(to: &Path, identity: &str) -> Result<Mark, CopyError> {
    for (mark, name) in [(Mark::Done, DONE), (Mark::Begun, BEGUN)] {
        match fs::read_to_string(to.join(name)) {
            Ok(said) if said == identity => return Ok(mark),
            Ok(_) => return Err(CopyError::Occupied(to.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(at(to)(error)),
        }
    }
    let mut entries = fs::read_dir(to).map_err(at(to))?.filter_map(Result::ok);
    match entries.any(|entry| entry.file_name() != LOST_AND_FOUND && entry.file_name() != HALF_A_MARK) {
        true => Err(CopyError::Occupied(to.into())),
        false => Ok(Mark::None),
    }
}

/// A mark appears whole or not at all.
fn write_mark(to: &Path, name: &str, identity: &str) -> Result<(), CopyError> {
    let (half, path) = (to.join(HALF_A_MARK), to.join(name));
    fs::write(&half, identity).map_err(at(&half))?;
    File::open(&half).and_then(|file| file.sync_all()).map_err(at(&half))?;
    fs::rename(&half, &path).map_err(at(&path))?;
    sync_directory(to)
}

fn finish(to: &Path, identity: &str) -> Result<(), CopyError> {
    write_mark(to, DONE, identity)?;
    let begun = to.join(BEGUN);
    match fs::remove_file(&begun) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&begun)(error)),
        _ => sync_directory(to),
    }
}

/// What tells one source from another: every name, size and byte.
fn identity(from: &Path, source: &Inventory) -> Result<String, CopyError> {
    let mut all = Sha256::new();
    for (name, entry) in source {
        all.update(name.as_os_str().as_encoded_bytes());
        all.update([0]);
        if let Entry::File(bytes) = entry {
            all.update(bytes.to_be_bytes());
            all.update(digest(&from.join(name))?);
        }
    }
    Ok(all.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn digest(path: &Path) -> Result<Vec<u8>, CopyError> {
    use io::Read;
    let mut file = File::open(path).map_err(at(path))?;
    let (mut digest, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer).map_err(at(path))? {
            0 => return Ok(digest.finalize().to_vec()),
            read => digest.update(&buffer[..read]),
        }
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> CopyError {
    let path = path.to_owned();
    move |error| CopyError::Io {
        path: path.clone(),
        error,
    }
}

#[cfg(test)]
#[path = "copy_tests.rs"]
mod tests;
