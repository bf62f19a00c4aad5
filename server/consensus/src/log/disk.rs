//! What the log needs of a folder of files. Faults are injected by implementing these two traits.

use std::io;
use std::sync::Arc;

/// One folder. Names are plain file names.
pub trait Disk: Send + Sync + 'static {
    fn list(&self) -> io::Result<Vec<String>>;
    /// A new file of exactly `bytes` zeroes, its contents durable, its name not yet. Fails if the name is taken.
    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>>;
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes names durable: those created, renamed and removed before.
    fn sync_names(&self) -> io::Result<()>;
    /// For messages.
    fn describe(&self, name: &str) -> String;
}

/// One file of fixed length.
pub trait DiskFile: Send + Sync + 'static {
    fn bytes(&self) -> io::Result<u64>;
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    fn write_at(&self, buffer: &[u8], offset: u64) -> io::Result<()>;
    /// Makes everything written before durable.
    fn sync(&self) -> io::Result<()>;
}
