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

#[derive(Debug, thiserror::Error)]
pub enum FoundError {
    #[error("{0}")]
    Refused(String),
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
