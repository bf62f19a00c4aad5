//! Why something could not be done, an enum for each operation.

use std::io;

use crate::log::OpenLogError;

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{0}")]
    Log(String),
    #[error("consensus settings: {0}")]
    Settings(String),
    #[error("the state could not be made durable: {0}")]
    State(String),
    #[error("raft could not start: {0}")]
    Raft(String),
}

impl From<OpenLogError> for StartError {
    fn from(error: OpenLogError) -> Self {
        Self::Log(error.to_string())
    }
}

impl StartError {
    pub(crate) fn thread(error: io::Error) -> Self {
        Self::Settings(format!("a thread could not be started: {error}"))
    }
}

/// Why a proposal has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProposeError {
    /// Certainly not appended.
    #[error("no leader")]
    NoLeader,
    /// May or may not be applied.
    #[error("outcome unknown: the leader changed")]
    LeaderChanged,
    /// The node has stopped; may or may not be applied.
    #[error("node stopped")]
    Stopped,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum BarrierError {
    #[error("no leader")]
    NoLeader,
    #[error("leader changed")]
    LeaderChanged,
    #[error("node stopped")]
    Stopped,
}

/// Why the membership was not changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ChangeError {
    #[error("not the leader")]
    NotLeader,
    #[error("member {0:016x} is not in the cluster")]
    NotFound(u64),
    #[error("another change is under way")]
    InProgress,
    #[error("{0}")]
    Refused(String),
    /// May or may not come into force.
    #[error("outcome unknown: the leader changed")]
    LeaderChanged,
    #[error("node stopped")]
    Stopped,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum TransferError {
    #[error("not the leader")]
    NotLeader,
    /// A learner, a stranger, or nobody.
    #[error("member {0:016x} cannot lead")]
    BadTransferee(u64),
    #[error("leadership did not arrive in time")]
    TimedOut,
    #[error("node stopped")]
    Stopped,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum AskError {
    #[error("member {0:016x} cannot be reached")]
    Unreachable(u64),
    #[error("no answer in time")]
    TimedOut,
    /// What the other member said.
    #[error("{0}")]
    Refused(String),
}
