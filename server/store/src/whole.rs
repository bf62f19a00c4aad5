//! Whether the engine's files are all there. The engine takes a keyspace whose file is gone for a new, empty one, and
//! would serve a store from which a part has vanished.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::schema::format::Folder;
use crate::{OpenError, StoreFailure};

/// Lists the keyspaces that were there once the store was complete.
const FILE: &str = "keyspaces";

/// Refuses a store that was complete before and misses a keyspace now.
pub(crate) fn check(dir: &Path, folder: Folder) -> Result<(), OpenError> {
    let listed = match fs::read_to_string(dir.join(FILE)) {
        Ok(listed) => listed,
        // Not complete yet: the engine is about to make its files. Others come complete.
        Err(why) if why.kind() == ErrorKind::NotFound => {
            return match folder {
                Folder::Plain => Ok(()),
                Folder::Installed => Err(missing(dir, "the store")),
            };
        }
        Err(why) => return Err(StoreFailure::from(why).into()),
    };
    let lost = listed.lines().find(|name| !head(dir, name).exists());
    lost.map_or(Ok(()), |name| Err(missing(dir, &format!("keyspace {name}"))))
}

fn missing(dir: &Path, what: &str) -> OpenError {
    OpenError::Damaged {
        dir: dir.to_path_buf(),
        why: format!("{what} is missing"),
    }
}

/// Notes what is there, durably and in one step, unless it is noted already.
pub(crate) fn mark(dir: &Path) -> Result<(), StoreFailure> {
    if dir.join(FILE).exists() {
        return Ok(());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(keyspaces(dir))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let aside = dir.join("keyspaces.new");
    let mut file = fs::File::create(&aside)?;
    writeln!(file, "{}", names.join("\n"))?;
    file.sync_all()?;
    fs::rename(aside, dir.join(FILE))?;
    Ok(fs::File::open(dir)?.sync_all()?)
}

fn keyspaces(dir: &Path) -> PathBuf {
    dir.join("engine").join("keyspaces")
}

/// The file without which the engine starts a keyspace anew.
fn head(dir: &Path, name: &str) -> PathBuf {
    keyspaces(dir).join(name).join("current")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, Store};

    fn heads(dir: &Path) -> Vec<PathBuf> {
        let names = fs::read_dir(keyspaces(dir)).unwrap();
        names.map(|entry| entry.unwrap().path().join("current")).collect()
    }

    #[test]
    fn a_store_without_one_of_its_keyspaces_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        drop(Store::open(dir.path(), &Options::default()).unwrap());
        assert!(heads(dir.path()).len() >= 4);
        for head in heads(dir.path()) {
            let aside = head.with_extension("aside");
            fs::rename(&head, &aside).unwrap();
            let refused = Store::open(dir.path(), &Options::default());
            assert!(
                matches!(refused, Err(OpenError::Damaged { .. })),
                "without {}",
                head.display()
            );
            fs::rename(&aside, &head).unwrap();
        }
        Store::open(dir.path(), &Options::default()).unwrap();
    }
}
