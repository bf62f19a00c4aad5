//! Where a store lives inside its folder.
//!
//! ```text
//! DIR/format                               of everything below
//! DIR/{engine, keyspaces, scratch}         the store that began here
//! DIR/installed-N/{engine, keyspaces, …}   one that came whole from another member; the highest N counts
//! DIR/incoming-K.partial/{engine, …}       one that is still coming
//! ```
//!
//! A rename makes `incoming-K.partial` the next `installed-N`, and with it everything older is left: there is no
//! moment at which a crash leaves two states or none. What is left goes with its last reader, or at the next open.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

const INSTALLED: &str = "installed-";
const INCOMING: &str = "incoming-";
const PARTIAL: &str = ".partial";
/// What belongs to the first store, which shares its folder with all later ones.
const FIRST: [&str; 3] = ["engine", "keyspaces", "scratch"];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Incoming(u64),
    First,
    Installed(u64),
}

/// One of these folders. Dropped last by whoever uses it.
#[derive(Debug)]
pub(crate) struct Home {
    root: PathBuf,
    place: Place,
    /// Nobody will want it again.
    left: AtomicBool,
}

impl Home {
    /// Where the store in `root` is to be opened.
    pub(crate) fn newest(root: &Path) -> io::Result<Self> {
        let place = places(root)?.into_iter().max().unwrap_or(Place::First);
        Ok(Self::new(root, place.max(Place::First)))
    }

    /// For a store that is to come; it goes unless it is [installed](Self::install_after).
    pub(crate) fn incoming(root: &Path, number: u64) -> Self {
        let home = Self::new(root, Place::Incoming(number));
        home.leave();
        home
    }

    fn new(root: &Path, place: Place) -> Self {
        Self {
            root: root.to_path_buf(),
            place,
            left: AtomicBool::new(false),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        match self.place {
            Place::First => self.root.clone(),
            Place::Installed(number) => self.root.join(format!("{INSTALLED}{number}")),
            Place::Incoming(number) => self.root.join(format!("{INCOMING}{number}{PARTIAL}")),
        }
    }

    /// Makes what came, and is durable, the store that the next open finds. Durable when it returns.
    pub(crate) fn install_after(self, live: &Self) -> io::Result<Self> {
        let number = match live.place {
            Place::Installed(number) => number + 1,
            Place::First | Place::Incoming(_) => 2,
        };
        let installed = Self::new(&self.root, Place::Installed(number));
        fs::rename(self.path(), installed.path())?;
        File::open(&self.root)?.sync_all()?;
        Ok(installed)
    }

    pub(crate) fn is_in(&self, root: &Path) -> bool {
        self.root == root
    }

    /// From now on the folder goes when it is dropped.
    pub(crate) fn leave(&self) {
        self.left.store(true, Ordering::Release);
    }

    /// Removes what a crash, or a reader that outlived its store, has left behind.
    pub(crate) fn sweep_others(&self) -> io::Result<()> {
        let mut others = places(&self.root)?;
        others.retain(|place| *place != self.place);
        if others.is_empty() {
            return Ok(());
        }
        // A crash may have come between the rename and its fsync.
        File::open(&self.root)?.sync_all()?;
        others
            .into_iter()
            .try_for_each(|other| Self::new(&self.root, other).remove())
    }

    fn remove(&self) -> io::Result<()> {
        match self.place {
            Place::First => FIRST.iter().try_for_each(|name| remove(&self.root.join(name))),
            Place::Installed(_) | Place::Incoming(_) => remove(&self.path()),
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if *self.left.get_mut() {
            // What cannot be removed now is tried again at the next open.
            let _ = self.remove();
        }
    }
}

/// What is there of all these.
fn places(root: &Path) -> io::Result<Vec<Place>> {
    let mut places = Vec::new();
    for entry in fs::read_dir(root)? {
        places.extend(entry?.file_name().to_str().and_then(place));
    }
    Ok(places)
}

fn place(name: &str) -> Option<Place> {
    if FIRST.contains(&name) {
        return Some(Place::First);
    }
    let incoming = name.strip_prefix(INCOMING).and_then(|rest| rest.strip_suffix(PARTIAL));
    let installed = name.strip_prefix(INSTALLED);
    let incoming = incoming.and_then(|number| number.parse().ok()).map(Place::Incoming);
    incoming.or_else(|| installed?.parse().ok().map(Place::Installed))
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(why) => Err(why),
    };
    removed.or_else(|why| match why.kind() {
        ErrorKind::NotFound => Ok(()),
        _ => Err(why),
    })
}

/// Everything in the folder, and the folder itself.
pub(crate) fn sync_tree(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(root: &Path) -> Vec<String> {
        let names = fs::read_dir(root).unwrap();
        let mut names: Vec<_> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for name in names {
            fs::create_dir_all(root.path().join(name).join("inside")).unwrap();
        }
        root
    }

    #[test]
    fn the_highest_number_counts_and_all_else_is_swept() {
        for (there, newest) in [
            (&["engine", "scratch"][..], ""),
            (&["engine", "incoming-7.partial"], ""),
            (&["engine", "installed-2", "incoming-0.partial"], "installed-2"),
            (&["installed-9", "installed-10", "scratch"], "installed-10"),
            (&["incoming-3.partial"], ""),
        ] {
            let root = folder(there);
            fs::write(root.path().join("format"), "3\n").unwrap();
            let home = Home::newest(root.path()).unwrap();
            assert_eq!(home.path(), root.path().join(newest), "{there:?}");
            home.sweep_others().unwrap();
            let kept = names(root.path());
            assert!(kept.contains(&"format".to_owned()));
            assert!(!kept.iter().any(|name| name.ends_with(PARTIAL)), "{kept:?}");
            assert_eq!(
                kept.contains(&"engine".to_owned()),
                newest.is_empty() && there[0] == "engine"
            );
        }
    }

    #[test]
    fn what_comes_goes_unless_it_is_installed() {
        let root = folder(&["engine", "incoming-1.partial", "incoming-2.partial"]);
        let live = Home::newest(root.path()).unwrap();
        drop(Home::incoming(root.path(), 1));
        let installed = Home::incoming(root.path(), 2).install_after(&live).unwrap();
        live.leave();
        drop((live, installed));
        assert_eq!(names(root.path()), ["installed-2"]);
    }

    #[test]
    fn foreign_names_are_left_alone() {
        for name in ["format", "installed-", "installed-x", "incoming-1", "lost+found"] {
            assert_eq!(place(name), None, "{name}");
        }
    }
}
