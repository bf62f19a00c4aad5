//! Why a member could not do what it was asked: one enum per kind of operation.

use taffrail_consensus::{BarrierError, ProposeError};
use taffrail_store::{ApplyError, LeaseNotFound, RangeError, StoreFailure};

#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The encoded proposal is larger than one entry may be.
    #[error("request of {bytes} bytes is larger than {max}")]
    TooLarge { bytes: usize, max: usize },
    /// The member is behind with applying or holds too much that is not answered yet.
    #[error("too many requests")]
    TooManyRequests,
    /// The quota is used up, or the alarm that says so is on.
    #[error("database space exceeded")]
    NoSpace,
    #[error(transparent)]
    Refused(#[from] ApplyError),
    #[error(transparent)]
    Propose(#[from] ProposeError),
    /// No answer in time; the outcome is unknown.
    #[error("request timed out")]
    TimedOut,
    /// The entry was answered with something else than its kind of answer.
    #[error("unexpected answer")]
    Unexpected,
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Range(#[from] RangeError),
    #[error(transparent)]
    Barrier(#[from] BarrierError),
    #[error("request timed out")]
    TimedOut,
}

impl From<StoreFailure> for ReadError {
    fn from(failure: StoreFailure) -> Self {
        ReadError::Range(RangeError::Failure(failure))
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    #[error("lease TTL of {0} s is too large")]
    TtlTooLarge(i64),
    #[error(transparent)]
    NotFound(#[from] LeaseNotFound),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("backup: {0}")]
    Io(#[from] std::io::Error),
    #[error("backup: {0}")]
    Store(String),
}
