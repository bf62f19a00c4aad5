//! The version of everything in this folder, in a file of its own: it can be read before the engine is opened.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::{OpenError, StoreFailure};

const FILE: &str = "format";
/// The store may live in a folder of its own in this one, because it came from another member.
const INSTALLED: u64 = 3;
/// It lives where it began.
const IN_PLACE: u64 = 2;
/// Every row of `history` was written at once. Read as it is: without the mark of how far `history` is complete, all
/// of it follows from `log`.
const HISTORY_AT_ONCE: u64 = 1;

/// What is known of a folder before the engine is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Folder {
    /// A store lives in it, or will.
    Plain,
    /// The first store in it has given way to one from another member, or was about to.
    Installed,
}

/// Refuses a folder of a newer version; marks a new or an older folder with this one, because what read the older
/// one would miss what is written from now on.
pub(crate) fn check(dir: &Path) -> Result<Folder, OpenError> {
    match fs::read_to_string(dir.join(FILE)) {
        Ok(text) => check_text(dir, &text),
        Err(why) if why.kind() == ErrorKind::NotFound => mark_plain(dir),
        Err(why) => Err(StoreFailure::from(why).into()),
    }
}

fn check_text(dir: &Path, text: &str) -> Result<Folder, OpenError> {
    let path = dir.to_path_buf();
    match text.trim().parse() {
        Ok(INSTALLED) => Ok(Folder::Installed),
        Ok(IN_PLACE) => Ok(Folder::Plain),
        Ok(HISTORY_AT_ONCE) => mark_plain(dir),
        Ok(found) if found > INSTALLED => Err(OpenError::Newer {
            dir: path,
            found,
            known: INSTALLED,
        }),
        _ => Err(OpenError::Damaged {
            dir: path,
            why: format!("format {text:?} is not known"),
        }),
    }
}

fn mark_plain(dir: &Path) -> Result<Folder, OpenError> {
    write(dir, IN_PLACE).map_err(StoreFailure::from)?;
    Ok(Folder::Plain)
}

/// Before the first store from another member takes the place of the one that began here: who looks for that one
/// only must not find an empty folder and begin again.
pub(crate) fn mark_installed(dir: &Path) -> std::io::Result<()> {
    write(dir, INSTALLED)
}

/// Written aside and renamed, so that a crash leaves either nothing or all of it.
fn write(dir: &Path, format: u64) -> std::io::Result<()> {
    let aside = dir.join("format.new");
    let mut file = fs::File::create(&aside)?;
    writeln!(file, "{format}")?;
    file.sync_all()?;
    fs::rename(aside, dir.join(FILE))?;
    fs::File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_folder_is_marked_and_then_known() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(check(dir.path()).unwrap(), Folder::Plain);
        assert_eq!(check(dir.path()).unwrap(), Folder::Plain);
        mark_installed(dir.path()).unwrap();
        assert_eq!(check(dir.path()).unwrap(), Folder::Installed);
        assert_eq!(fs::read_to_string(dir.path().join(FILE)).unwrap(), "3\n");
    }

    #[test]
    fn a_newer_format_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "4\n").unwrap();
        assert!(matches!(
            check(dir.path()),
            Err(OpenError::Newer { found: 4, known: 3, .. })
        ));
    }

    #[test]
    fn an_older_format_is_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "1\n").unwrap();
        check(dir.path()).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join(FILE)).unwrap(), "2\n");
    }

    #[test]
    fn an_unreadable_format_is_damage() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "").unwrap();
        assert!(matches!(check(dir.path()), Err(OpenError::Damaged { .. })));
    }
}
