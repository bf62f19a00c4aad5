//! The version of everything in this folder, in a file of its own: it can be read before the engine is opened.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::{OpenError, StoreFailure};

const FILE: &str = "format";
const KNOWN: u64 = 1;

/// Refuses a folder of a newer version; marks a new folder with this one.
pub(crate) fn check(dir: &Path) -> Result<(), OpenError> {
    match fs::read_to_string(dir.join(FILE)) {
        Ok(text) => check_text(dir, &text),
        Err(why) if why.kind() == ErrorKind::NotFound => write(dir).map_err(|why| StoreFailure::from(why).into()),
        Err(why) => Err(StoreFailure::from(why).into()),
    }
}

fn check_text(dir: &Path, text: &str) -> Result<(), OpenError> {
    let dir = dir.to_path_buf();
    match text.trim().parse() {
        Ok(KNOWN) => Ok(()),
        Ok(found) if found > KNOWN => Err(OpenError::Newer {
            dir,
            found,
            known: KNOWN,
        }),
        _ => Err(OpenError::Damaged {
            dir,
            why: format!("format {text:?} is not known"),
        }),
    }
}

/// Written aside and renamed, so that a crash leaves either nothing or all of it.
fn write(dir: &Path) -> std::io::Result<()> {
    let aside = dir.join("format.new");
    let mut file = fs::File::create(&aside)?;
    writeln!(file, "{KNOWN}")?;
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
        check(dir.path()).unwrap();
        check(dir.path()).unwrap();
    }

    #[test]
    fn a_newer_format_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "2\n").unwrap();
        assert!(matches!(
            check(dir.path()),
            Err(OpenError::Newer { found: 2, known: 1, .. })
        ));
    }

    #[test]
    fn an_unreadable_format_is_damage() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "").unwrap();
        assert!(matches!(check(dir.path()), Err(OpenError::Damaged { .. })));
    }
}
