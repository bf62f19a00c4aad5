//! A folder of the real file system.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{Disk, DiskFile};

/// Bytes written between two syncs while a file is filled: large enough to stream, small enough not to hold up the
/// fsyncs of the segment in use.
const FILL_BYTES: usize = 1 << 20;

/// Only one process at a time can have a folder open.
pub struct RealDisk {
    folder: PathBuf,
    sync: bool,
    _lock: File,
}

impl RealDisk {
    /// Opens the folder, creating it if absent.
    pub fn open(folder: &Path, sync: bool) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::new(
                io::ErrorKind::ResourceBusy,
                "in use by another process: stop that one first",
            ),
            TryLockError::Error(error) => error,
        })?;
        let disk = Self {
            folder: folder.to_owned(),
            sync,
            _lock: lock,
        };
        disk.sync_parent()?;
        Ok(disk)
    }

    /// The folder's own name must be durable before anything in it can be.
    fn sync_parent(&self) -> io::Result<()> {
        match self.folder.parent() {
            Some(parent) if self.sync && !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
            _ => Ok(()),
        }
    }
}

impl Disk for RealDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        let names = std::fs::read_dir(&self.folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect()
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        let path = self.folder.join(name);
        let file = OpenOptions::new().create_new(true).read(true).write(true).open(path)?;
        let zeroes = vec![0; FILL_BYTES];
        let mut filled = 0;
        while filled < bytes {
            let step = (bytes - filled).min(FILL_BYTES as u64);
            file.write_all_at(&zeroes[..step as usize], filled)?;
            filled += step;
            if self.sync {
                file.sync_data()?;
            }
        }
        if self.sync {
            file.sync_all()?;
        }
        Ok(Arc::new(RealFile { file, sync: self.sync }))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).open(self.folder.join(name))?;
        Ok(Arc::new(RealFile { file, sync: self.sync }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.folder.join(from), self.folder.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.folder.join(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        if self.sync {
            File::open(&self.folder)?.sync_all()
        } else {
            Ok(())
        }
    }

    fn describe(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

struct RealFile {
    file: File,
    sync: bool,
}

impl DiskFile for RealFile {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn write_at(&self, buffer: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(buffer, offset)
    }

    fn sync(&self) -> io::Result<()> {
        // The length never changes after creation, so data alone is enough.
        if self.sync { self.file.sync_data() } else { Ok(()) }
    }
}
