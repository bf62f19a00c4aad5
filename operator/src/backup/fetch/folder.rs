//! The folder that a member's data are restored in: what may be there, what is removed, and whether there is room.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::backup::request::Fetch;
use crate::backup::{Failure, Reason};

pub const SNAPSHOT_PARTIAL: &str = "restore.snapshot.db.partial";
pub const ARTIFACT_PARTIAL: &str = "restore.artifact.json.partial";
/// Made here and nowhere else, so that they may be removed.
const OURS: [&str; 5] = [
    Fetch::RESTORING,
    Fetch::SNAPSHOT,
    SNAPSHOT_PARTIAL,
    Fetch::ARTIFACT,
    ARTIFACT_PARTIAL,
];
/// File systems put it at the root of a volume.
const LOST_AND_FOUND: &str = "lost+found";
/// Room that a restore needs: the snapshot, a database of its size, and a fifth of it besides.
const ROOM: (u64, u64) = (11, 5);

/// Whether a restore has been finished here. A folder with anything else in it is refused.
///
/// # Errors
/// If it is, or cannot be read.
pub fn is_done(folder: &Path, data_dir: Option<&str>) -> Result<bool, Failure> {
    if let Some(data_dir) = data_dir
        && data_dir_in(folder, data_dir)?.exists()
    {
        return Ok(true);
    }
    match names(folder)?
        .into_iter()
        .find(|name| !OURS.contains(&name.as_str()) && name != LOST_AND_FOUND)
    {
        None => Ok(false),
        Some(name) => {
            let message = format!(
                "{} holds {name} already: restore into an empty volume; nothing was touched",
                folder.display()
            );
            Err(Failure::new(Reason::Occupied, message))
        }
    }
}

/// # Errors
/// If the name is not one within the folder.
pub fn data_dir_in(folder: &Path, data_dir: &str) -> Result<PathBuf, Failure> {
    let plain =
        !data_dir.is_empty() && !data_dir.contains(['/', '\0']) && ![".", "..", LOST_AND_FOUND].contains(&data_dir);
    match plain && !OURS.contains(&data_dir) {
        true => Ok(folder.join(data_dir)),
        false => Err(Failure::new(
            Reason::Invalid,
            format!("{data_dir:?} is no name for a data directory"),
        )),
    }
}

/// Makes the folder if need be, and removes what earlier attempts left.
///
/// # Errors
/// If something cannot be removed.
pub fn clear(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|error| Failure::disk(folder, &error))?;
    remove_leftovers(folder)
}

pub fn remove_leftovers(folder: &Path) -> Result<(), Failure> {
    for name in OURS {
        let path = folder.join(name);
        let removed = match fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_dir() => fs::remove_dir_all(&path),
            Ok(_) => fs::remove_file(&path),
            Err(error) => Err(error),
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Failure::disk(&path, &error)),
            _ => {}
        }
    }
    Ok(())
}

/// Before anything is written.
///
/// # Errors
/// If a snapshot of so many bytes could not be restored there.
pub fn has_room(folder: &Path, snapshot_bytes: u64) -> Result<(), Failure> {
    let volume = rustix::fs::statvfs(folder).map_err(|error| Failure::disk(folder, &error.into()))?;
    let free = volume.f_bavail.saturating_mul(volume.f_frsize);
    let needed = snapshot_bytes.saturating_mul(ROOM.0) / ROOM.1;
    match free >= needed {
        true => Ok(()),
        false => {
            let message = format!(
                "{} has {free} bytes free, restoring needs {needed}: take a larger volume; nothing was written",
                folder.display()
            );
            Err(Failure::new(Reason::NoRoom, message))
        }
    }
}

fn names(folder: &Path) -> Result<Vec<String>, Failure> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| Failure::disk(folder, &error))?,
    };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    names
        .collect::<io::Result<_>>()
        .map_err(|error| Failure::disk(folder, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_an_earlier_attempt_left_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path();
        fs::create_dir_all(folder.join("restoring/member")).unwrap();
        fs::create_dir_all(folder.join(LOST_AND_FOUND)).unwrap();
        fs::write(folder.join(SNAPSHOT_PARTIAL), "half").unwrap();
        assert_eq!(is_done(folder, Some("etcd")), Ok(false));
        clear(folder).unwrap();
        assert_eq!(names(folder).unwrap(), [LOST_AND_FOUND]);
        fs::write(folder.join("precious"), "data").unwrap();
        assert_eq!(is_done(folder, Some("etcd")).unwrap_err().reason, Reason::Occupied);
        fs::create_dir(folder.join("etcd")).unwrap();
        assert_eq!(is_done(folder, Some("etcd")), Ok(true));
    }

    #[test]
    fn a_data_directory_is_a_name_within_the_folder() {
        for name in [
            "",
            ".",
            "..",
            "a/b",
            "/etc",
            "restoring",
            "restore.snapshot.db",
            "lost+found",
        ] {
            assert_eq!(
                data_dir_in(Path::new("/data"), name).unwrap_err().reason,
                Reason::Invalid,
                "{name}"
            );
        }
        assert!(data_dir_in(Path::new("/data"), "etcd.1").is_ok());
    }

    #[test]
    fn a_volume_that_is_too_small_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(has_room(folder.path(), 1), Ok(()));
        assert_eq!(
            has_room(folder.path(), u64::MAX / 20).unwrap_err().reason,
            Reason::NoRoom
        );
    }
}
