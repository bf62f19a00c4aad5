//! A struct per cause, an enum per operation. The texts are for logs; the wire has its own table.

use std::path::PathBuf;

use crate::AuthError;

/// The wanted revision is below the compaction floor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("revision {wanted} has been compacted, the oldest readable one is {compacted}")]
pub struct Compacted {
    pub wanted: i64,
    pub compacted: i64,
}

/// The wanted revision does not exist yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("revision {wanted} is in the future, the newest one is {current}")]
pub struct FutureRevision {
    pub wanted: i64,
    pub current: i64,
}

/// A put asked to keep the value or lease of a key that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("key not found")]
pub struct KeyNotFound;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("lease {0:016x} not found")]
pub struct LeaseNotFound(pub i64);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("lease {0:016x} already exists")]
pub struct LeaseExists(pub i64);

/// The NOSPACE alarm is on: nothing that grows the data is applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("database space exceeded")]
pub struct NoSpace;

/// The CORRUPT alarm is on: nothing is applied but what handles the alarm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("corrupt cluster")]
pub struct Corrupt;

/// Why an entry was refused, the same on every member.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    #[error(transparent)]
    Compacted(#[from] Compacted),
    #[error(transparent)]
    FutureRevision(#[from] FutureRevision),
    #[error(transparent)]
    KeyNotFound(#[from] KeyNotFound),
    #[error(transparent)]
    LeaseNotFound(#[from] LeaseNotFound),
    #[error(transparent)]
    LeaseExists(#[from] LeaseExists),
    #[error(transparent)]
    NoSpace(#[from] NoSpace),
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// An entry this version does not understand, or one no member should have proposed.
    #[error("malformed entry: {0}")]
    Malformed(String),
}

/// Why a read could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum RangeError {
    #[error(transparent)]
    Compacted(#[from] Compacted),
    #[error(transparent)]
    FutureRevision(#[from] FutureRevision),
    #[error(transparent)]
    Failure(#[from] StoreFailure),
}

/// Why history could not be read.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    #[error(transparent)]
    Compacted(#[from] Compacted),
    #[error(transparent)]
    Failure(#[from] StoreFailure),
}

/// The storage engine failed or returned bytes that cannot be right. The member must stop: a failed write or fsync
/// leaves unknown bytes behind.
#[derive(Debug, thiserror::Error)]
pub enum StoreFailure {
    #[error("storage engine: {0}")]
    Engine(#[from] fjall::Error),
    #[error("stored record is damaged: {0}")]
    Damaged(String),
    #[error("input/output: {0}")]
    Io(#[from] std::io::Error),
}

/// Why a store could not be opened. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{dir} holds format {found}, this version reads up to {known}: start a newer version on it", dir = .dir.display())]
    Newer { dir: PathBuf, found: u64, known: u64 },
    #[error("{dir} is in use by another process: stop that one first", dir = .dir.display())]
    InUse { dir: PathBuf },
    #[error("{dir} is damaged ({why}): restore it from a snapshot, or remove the member and add it again empty", dir = .dir.display())]
    Damaged { dir: PathBuf, why: String },
    #[error(transparent)]
    Failure(#[from] StoreFailure),
}
