//! Why a log could not be opened. Each text says what to do.

use std::io;

const WAY_OUT: &str = "restore this member from a snapshot, or remove it from the cluster and add it again empty";

#[derive(Debug, thiserror::Error)]
pub enum OpenLogError {
    #[error("log file {file} cannot be used: {source}")]
    Io { file: String, source: io::Error },
    #[error("log file {file} has format {found}, this version reads up to {known}: start a newer version on it")]
    Newer { file: String, found: u32, known: u32 },
    #[error("log file {file} is damaged at byte {offset} ({why}): {WAY_OUT}")]
    Damaged { file: String, offset: u64, why: String },
    #[error("log file {file} is missing although later ones exist: {WAY_OUT}")]
    Missing { file: String },
    #[error("the log starts at entry {first} but only entries up to {purged} were let go: {WAY_OUT}")]
    Gap { first: u64, purged: u64 },
}
