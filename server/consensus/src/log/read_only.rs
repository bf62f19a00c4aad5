//! A folder of the real file system that stays as it is: what recovery would mend is noted.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::disk::{Disk, DiskFile};

type Mended = Arc<Mutex<Option<(String, Range<u64>)>>>;

pub struct ReadOnlyDisk {
    folder: PathBuf,
    mended: Mended,
}

struct ReadOnlyFile {
    file: File,
    name: String,
    mended: Mended,
}

impl ReadOnlyDisk {
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_path_buf(),
            mended: Mended::default(),
        }
    }

    /// The last stretch that would have been overwritten.
    pub fn mended(&self) -> Option<(String, Range<u64>)> {
        self.mended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Disk for ReadOnlyDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    fn create(&self, _name: &str, _bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        Err(ErrorKind::ReadOnlyFilesystem.into())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(ReadOnlyFile {
            file: File::open(self.folder.join(name))?,
            name: name.to_owned(),
            mended: self.mended.clone(),
        }))
    }

    fn rename(&self, _from: &str, _to: &str) -> io::Result<()> {
        Err(ErrorKind::ReadOnlyFilesystem.into())
    }

    /// Only half-made files are removed by a recovery, and nobody reads them.
    fn remove(&self, _name: &str) -> io::Result<()> {
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        Ok(())
    }

    fn describe(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

impl DiskFile for ReadOnlyFile {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn write_at(&self, buffer: &[u8], offset: u64) -> io::Result<()> {
        let stretch = offset..offset + buffer.len() as u64;
        *self.mended.lock().unwrap_or_else(PoisonError::into_inner) = Some((self.name.clone(), stretch));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
