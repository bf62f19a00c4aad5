//! Why a log of etcd could not be read. Each text says what to do.

use std::io;
use std::path::PathBuf;

const WAY_OUT: &str = "migrate another member of that cluster, or restore a snapshot with `taffrail snapshot restore`";

#[derive(Debug, thiserror::Error)]
pub enum WalError {
    #[error("{file} cannot be read: {source}", file = .file.display())]
    Io { file: PathBuf, source: io::Error },
    #[error("{dir} holds no write-ahead log of etcd: is --wal-dir missing?", dir = .0.display())]
    None(PathBuf),
    #[error("the segment before {file} is missing: {WAY_OUT}", file = .0.display())]
    Missing(PathBuf),
    #[error("{file} is damaged at byte {offset} ({why}): {WAY_OUT}", file = .file.display())]
    Damaged { file: PathBuf, offset: u64, why: String },
    #[error("the log begins with entry {first} but the database ends with entry {applied}: {WAY_OUT}")]
    Gap { first: u64, applied: u64 },
    #[error("the log ends with entry {last} although entry {expected} was committed: {WAY_OUT}")]
    Short { last: u64, expected: u64 },
}
