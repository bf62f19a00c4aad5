//! Something made of files, and made anew when they change.
//!
//! Whoever asks while nothing is known to have changed pays for a look at a clock. At most once a second somebody who
//! asks also looks at the files, beside the async workers, and gets what they say now.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::Result;
use arc_swap::ArcSwap;

/// Files are not looked at more often.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Tells two contents of a file apart without reading them: device, inode, size, and the times of the last changes
/// in seconds and nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    place: (u64, u64),
    size_bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

pub(super) struct Live<T> {
    /// For the log.
    what: &'static str,
    files: Vec<PathBuf>,
    make: Box<dyn Fn() -> Result<T> + Send + Sync>,
    current: ArcSwap<T>,
    stamps: ArcSwap<Vec<Option<Stamp>>>,
    /// What the files say now could not be used: maybe they can be read again, so each look tries it.
    broken: AtomicBool,
    born: Instant,
    /// When to look again, in milliseconds after birth.
    next_look_ms: AtomicU64,
}

impl<T: Send + Sync + 'static> Live<T> {
    /// # Errors
    /// What keeps it from being made the first time.
    pub fn new(
        what: &'static str,
        files: Vec<PathBuf>,
        make: impl Fn() -> Result<T> + Send + Sync + 'static,
    ) -> Result<Arc<Self>> {
        // Looked at before they are read, so that a change in between is seen as one later.
        let stamps = stamps(&files);
        Ok(Arc::new(Live {
            what,
            current: ArcSwap::from_pointee(make()?),
            stamps: ArcSwap::from_pointee(stamps),
            files,
            make: Box::new(make),
            broken: AtomicBool::new(false),
            born: Instant::now(),
            next_look_ms: AtomicU64::new(LOOK_INTERVAL.as_millis() as u64),
        }))
    }

    pub async fn current(self: &Arc<Self>) -> Arc<T> {
        if self.is_time_to_look() {
            let this = self.clone();
            // It fails only while the process ends.
            let _ = tokio::task::spawn_blocking(move || this.look()).await;
        }
        self.current.load_full()
    }

    /// True for one who asks, then for nobody for a while.
    fn is_time_to_look(&self) -> bool {
        let now = self.born.elapsed().as_millis() as u64;
        let due = self.next_look_ms.load(Relaxed);
        let next = now + LOOK_INTERVAL.as_millis() as u64;
        now >= due && self.next_look_ms.compare_exchange(due, next, Relaxed, Relaxed).is_ok()
    }

    fn look(&self) {
        let stamps = stamps(&self.files);
        let changed = stamps != **self.stamps.load();
        if !changed && !self.broken.load(Relaxed) {
            return;
        }
        self.stamps.store(Arc::new(stamps));
        let made = (self.make)();
        self.broken.store(made.is_err(), Relaxed);
        match made {
            Ok(made) => {
                self.current.store(Arc::new(made));
                tracing::info!(what = self.what, "certificate files have changed and are used");
            }
            Err(error) if changed => tracing::warn!(
                what = self.what,
                error = format!("{error:#}"),
                "certificate files have changed and cannot be used; those read before stay in use"
            ),
            Err(_) => {}
        }
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Option<Stamp>> {
    files.iter().map(|file| stamp(file)).collect()
}

fn stamp(file: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(file).ok()?;
    Some(Stamp {
        place: (found.dev(), found.ino()),
        size_bytes: found.size(),
        modified: (found.mtime(), found.mtime_nsec()),
        changed: (found.ctime(), found.ctime_nsec()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number in a file, as a stand-in for a certificate.
    fn number(file: &Path) -> Arc<Live<u32>> {
        let (path, read) = (file.to_path_buf(), file.to_path_buf());
        let live = Live::new("a number", vec![path], move || {
            Ok(std::fs::read_to_string(&read)?.parse()?)
        });
        live.expect("it is a number")
    }

    #[test]
    fn a_changed_file_counts_and_a_broken_one_does_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("number");
        let write = |text: &str| std::fs::write(&file, text).expect("writable");
        write("1");
        let live = number(&file);
        for (text, expected) in [("22", 22), ("x", 22), ("333", 333)] {
            write(text);
            live.look();
            assert_eq!(**live.current.load(), expected, "after {text:?}");
        }
        std::fs::remove_file(&file).expect("it is there");
        live.look();
        assert_eq!(**live.current.load(), 333, "after it was removed");
    }

    #[test]
    fn a_broken_file_at_the_start_is_an_error() {
        let made: Result<Arc<Live<u32>>> = Live::new("nothing", Vec::new(), || anyhow::bail!("broken"));
        assert!(made.is_err());
    }

    #[tokio::test]
    async fn files_are_looked_at_now_and_then_only() {
        let live = Live::new("one", Vec::new(), || Ok(1)).expect("made");
        assert!(!live.is_time_to_look(), "it was just made");
        live.next_look_ms.store(0, Relaxed);
        assert!(live.is_time_to_look());
        assert!(!live.is_time_to_look(), "somebody looks already");
        assert_eq!(*live.current().await, 1);
    }
}
