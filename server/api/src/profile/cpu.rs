//! Where the processors spend their time: a signal interrupts the process a hundred times a second of work, and the
//! stack of whoever was running is kept.

use std::time::Duration;

use pprof::ProfilerGuardBuilder;
use tokio::sync::Mutex;

use super::tables::Tables;

pub(super) const SECONDS_DEFAULT: u64 = 30;
pub(super) const SECONDS_MAX: u64 = 300;

const SAMPLES_PER_SECOND: i32 = 100;
/// A stack is not walked from within these: they may hold the locks that the walk needs.
const NOT_WALKED: [&str; 4] = ["libc", "libgcc", "pthread", "vdso"];

/// The signal is the process's, so there is one profile at a time.
static UNDER_WAY: Mutex<()> = Mutex::const_new(());

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProfileError {
    #[error("cpu profiling already in use")]
    InUse,
    #[error(transparent)]
    Profiler(#[from] pprof::Error),
    #[error(transparent)]
    Encoding(#[from] std::io::Error),
    #[error("the profiler was lost: {0}")]
    Lost(#[from] tokio::task::JoinError),
}

/// Records for so many seconds; the answer is a compressed profile.
pub(super) async fn profile(seconds: u64) -> Result<Vec<u8>, ProfileError> {
    let under_way = UNDER_WAY.try_lock().map_err(|_| ProfileError::InUse)?;
    // It goes on to its end even if nobody waits for it any more: the lock goes with it.
    let recorded = tokio::task::spawn_blocking(move || {
        let _under_way = under_way;
        record(seconds)
    });
    recorded.await?
}

fn record(seconds: u64) -> Result<Vec<u8>, ProfileError> {
    let profiler = ProfilerGuardBuilder::default()
        .frequency(SAMPLES_PER_SECOND)
        .blocklist(&NOT_WALKED)
        .build()?;
    std::thread::sleep(Duration::from_secs(seconds));
    let report = profiler.report().build()?;
    drop(profiler);
    Ok(super::compressed(&Tables::cpu(&report))?)
}
