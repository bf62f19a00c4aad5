//! Why a member could not do what it was asked: one enum per kind of operation.

use taffrail_consensus::{BarrierError, ChangeError, ProposeError, TransferError};
use taffrail_store::{ApplyError, AuthError, LeaseNotFound, PermitError, RangeError, StoreFailure};

use crate::auth::PasswordError;

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
    TimedOut(Timeout),
    /// The entry was answered with something else than its kind of answer.
    #[error("unexpected answer")]
    Unexpected,
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Range(#[from] RangeError),
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] AuthError),
    #[error(transparent)]
    Barrier(#[from] BarrierError),
    #[error("request timed out")]
    TimedOut,
}

impl From<PermitError> for ReadError {
    fn from(error: PermitError) -> Self {
        match error {
            PermitError::Auth(denied) => ReadError::Denied(denied),
            PermitError::Failure(failure) => failure.into(),
        }
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticateError {
    #[error(transparent)]
    Denied(#[from] AuthError),
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// It could not be made.
    #[error("{0}")]
    Token(String),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Why users and roles are not what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum AuthChangeError {
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error(transparent)]
    Write(#[from] WriteError),
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
    /// This member cannot prove that it leads.
    #[error("not a primary lessor")]
    NotPrimary,
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Why the membership is not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum MemberError {
    /// There is no such member, or not any more.
    #[error("member {0:016x} not found")]
    NotFound(u64),
    #[error("member {0:016x} exists")]
    Exists(u64),
    #[error("peer URL exists")]
    PeerUrlExists,
    #[error("too many learners")]
    TooManyLearners,
    #[error("not enough started members")]
    NotEnoughStarted,
    #[error("not in touch with enough members")]
    Unhealthy,
    #[error("not a learner")]
    NotLearner,
    #[error("learner is not in sync with the leader")]
    LearnerNotReady,
    /// Certainly nothing has happened; whoever leads may be asked again.
    #[error("not the leader, or busy")]
    NotNow,
    /// May or may not have happened.
    #[error("leader changed")]
    LeaderChanged,
    /// May or may not have happened.
    #[error("request timed out")]
    TimedOut(Timeout),
    #[error("stopped")]
    Stopped,
    #[error("{0}")]
    Refused(String),
}

impl From<ChangeError> for MemberError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::NotLeader | ChangeError::InProgress => MemberError::NotNow,
            ChangeError::NotFound(id) => MemberError::NotFound(id),
            ChangeError::Refused(why) => MemberError::Refused(why),
            ChangeError::LeaderChanged => MemberError::LeaderChanged,
            ChangeError::Stopped => MemberError::Stopped,
        }
    }
}

/// What a request that got no answer in time suffered from, as far as can be told (etcd server.go,
/// parseProposeCtxErr).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timeout {
    Unexplained,
    /// It was under way when the last leader failed.
    LeaderFailed,
    /// Leader or quorum could not be reached all the while.
    ConnectionLost,
}

#[derive(Debug, thiserror::Error)]
pub enum MoveLeaderError {
    #[error("not the leader")]
    NotLeader,
    /// A learner or a stranger.
    #[error("member {0:016x} cannot lead")]
    BadTransferee(u64),
    #[error("leader transfer took too long")]
    TimedOut,
    #[error("stopped")]
    Stopped,
}

impl From<TransferError> for MoveLeaderError {
    fn from(error: TransferError) -> Self {
        match error {
            TransferError::NotLeader => MoveLeaderError::NotLeader,
            TransferError::BadTransferee(id) => MoveLeaderError::BadTransferee(id),
            TransferError::TimedOut => MoveLeaderError::TimedOut,
            TransferError::Stopped => MoveLeaderError::Stopped,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum DowngradeError {
    #[error("not a version")]
    WrongFormat,
    /// A cluster goes down by one minor version.
    #[error("not a version to downgrade to")]
    InvalidTarget,
    #[error("a downgrade is under way")]
    InProcess,
    #[error("no downgrade is under way")]
    NotInProcess,
    #[error("the cluster's version is not decided yet")]
    NotDecided,
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Write(#[from] WriteError),
}

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("backup: {0}")]
    Io(#[from] std::io::Error),
    #[error("backup: {0}")]
    Store(String),
}
