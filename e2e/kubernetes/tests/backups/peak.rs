//! How much memory programs took, whichever pods they ran in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// Looks at every process of the machine until it is dropped.
pub struct Peaks {
    by_words: Arc<Mutex<BTreeMap<String, u64>>>,
    looking: tokio::task::JoinHandle<()>,
}

impl Peaks {
    pub fn begin() -> Self {
        let by_words: Arc<Mutex<BTreeMap<String, u64>>> = Arc::default();
        let seen = by_words.clone();
        let looking = tokio::spawn(async move {
            loop {
                look(&seen);
                tokio::time::sleep(LOOK_PAUSE).await;
            }
        });
        Self { by_words, looking }
    }

    /// The highest of any process whose command line holds this, in KiB; 0 if there was none.
    pub fn of(&self, words: &str) -> u64 {
        let by_words = self.by_words.lock().unwrap_or_else(PoisonError::into_inner);
        let those = by_words.iter().filter(|(line, _)| line.contains(words));
        those.map(|(_, kib)| *kib).max().unwrap_or(0)
    }
}

impl Drop for Peaks {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

/// A process may go while it is looked at.
fn look(seen: &Mutex<BTreeMap<String, u64>>) {
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let path = entry.path();
        let line = std::fs::read(path.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if !line.starts_with("/usr/local/bin/") {
            continue;
        }
        let status = std::fs::read_to_string(path.join("status")).unwrap_or_default();
        let highest = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = highest.and_then(|text| text.split_whitespace().next()?.parse().ok());
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let known = seen.entry(line).or_default();
        *known = (*known).max(kib.unwrap_or(0));
    }
}
