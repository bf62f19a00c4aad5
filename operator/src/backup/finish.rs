//! What was restored gets its name, once every byte of it is safe. Done twice, it is done.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::request::{Fetch, Finish};
use super::{Failure, Reason, fetch};

/// Deeper than any data directory.
const DEPTH_MAX: usize = 32;

/// # Errors
/// If nothing was restored, or the disk fails.
pub async fn finish(request: &Finish) -> Result<(), Failure> {
    let (folder, data_dir) = (PathBuf::from(&request.folder), request.data_dir.clone());
    let done = tokio::task::spawn_blocking(move || name(&folder, &data_dir)).await;
    done.unwrap_or_else(|error| Err(Failure::new(Reason::Failed, error.to_string())))
}

fn name(folder: &Path, data_dir: &str) -> Result<(), Failure> {
    let wanted = fetch::data_dir_in(folder, data_dir)?;
    let restoring = folder.join(Fetch::RESTORING);
    match (wanted.exists(), restoring.exists()) {
        // A member may have been at it since: it stays, whatever else was restored.
        (true, _) => {}
        (false, true) => {
            sync_all(&restoring, 0)?;
            fs::rename(&restoring, &wanted).map_err(|error| Failure::disk(&wanted, &error))?;
        }
        (false, false) => {
            let message = format!("{} is not there: the restore did not make it", restoring.display());
            return Err(Failure::new(Reason::NotFound, message));
        }
    }
    sync(folder)?;
    fetch::remove_leftovers(folder)?;
    sync(folder)
}

/// Files and folders, the inner ones first.
fn sync_all(path: &Path, depth: usize) -> Result<(), Failure> {
    if depth > DEPTH_MAX {
        return Err(Failure::new(
            Reason::Failed,
            format!("{} lies too deep", path.display()),
        ));
    }
    let meta = fs::symlink_metadata(path).map_err(|error| Failure::disk(path, &error))?;
    if meta.is_dir() {
        for entry in fs::read_dir(path).map_err(|error| Failure::disk(path, &error))? {
            sync_all(&entry.map_err(|error| Failure::disk(path, &error))?.path(), depth + 1)?;
        }
    }
    match meta.is_dir() || meta.is_file() {
        true => sync(path),
        false => Ok(()),
    }
}

pub fn sync(path: &Path) -> Result<(), Failure> {
    let synced: io::Result<()> = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|error| Failure::disk(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_restored_gets_its_name_and_a_second_time_nothing_happens() {
        let folder = tempfile::tempdir().unwrap();
        let request = Finish {
            folder: folder.path().display().to_string(),
            data_dir: "etcd".into(),
        };
        assert_eq!(finish(&request).await.unwrap_err().reason, Reason::NotFound);
        fs::create_dir_all(folder.path().join("restoring/member/snap")).unwrap();
        fs::write(folder.path().join("restoring/member/snap/db"), "data").unwrap();
        fs::write(folder.path().join(Fetch::SNAPSHOT), "snapshot").unwrap();
        fs::write(folder.path().join("mine"), "stays").unwrap();
        finish(&request).await.unwrap();
        fs::create_dir(folder.path().join("restoring")).unwrap();
        finish(&request).await.unwrap();
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["etcd", "mine"]);
        assert_eq!(
            fs::read_to_string(folder.path().join("etcd/member/snap/db")).unwrap(),
            "data"
        );
    }
}
