//! Errors on their way between members: a number for each, so that the client of the asking member is told the same.

use taffrail_proto::taffrailpb::{Cause, Refusal};

use super::Unanswered;
use crate::{LeaseError, MemberError, RangeError, ReadError, Timeout};

pub(super) fn not_understood() -> Refusal {
    Refusal {
        cause: Cause::NotUnderstood.into(),
        text: "the members do not understand each other: they run versions too far apart".into(),
    }
}

impl From<MemberError> for Refusal {
    fn from(error: MemberError) -> Self {
        let text = error.to_string();
        let cause = match error {
            MemberError::NotFound(_) => Cause::MemberNotFound,
            MemberError::Exists(_) => Cause::MemberExists,
            MemberError::PeerUrlExists => Cause::PeerUrlExists,
            MemberError::TooManyLearners => Cause::TooManyLearners,
            MemberError::NotEnoughStarted => Cause::NotEnoughStarted,
            MemberError::Unhealthy => Cause::Unhealthy,
            MemberError::NotLearner => Cause::NotALearner,
            MemberError::LearnerNotReady => Cause::LearnerNotReady,
            MemberError::NotNow => Cause::NotLeader,
            MemberError::LeaderChanged => Cause::LeaderChanged,
            MemberError::TimedOut(Timeout::Unexplained) => Cause::TimedOut,
            MemberError::TimedOut(Timeout::LeaderFailed) => Cause::TimedOutLeaderFailed,
            MemberError::TimedOut(Timeout::ConnectionLost) => Cause::TimedOutConnectionLost,
            // That the other member stopped means that there will be another leader.
            MemberError::Stopped => Cause::LeaderChanged,
            MemberError::Refused(_) => Cause::Other,
        };
        Refusal {
            cause: cause.into(),
            text,
        }
    }
}

/// Whoever asked about a lease asks again, whatever the cause.
impl From<LeaseError> for Refusal {
    fn from(error: LeaseError) -> Self {
        let cause = match error {
            LeaseError::NotPrimary => Cause::NotLeader,
            _ => Cause::Other,
        };
        Refusal {
            cause: cause.into(),
            text: error.to_string(),
        }
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        let cause = match error {
            ReadError::Range(RangeError::Compacted(_)) => Cause::Compacted,
            ReadError::Range(RangeError::FutureRevision(_)) => Cause::FutureRevision,
            _ => Cause::Other,
        };
        Refusal {
            cause: cause.into(),
            text: error.to_string(),
        }
    }
}

/// What became of a change of member `id`.
pub(super) fn member_error(unanswered: Unanswered, id: u64) -> MemberError {
    let refusal = match unanswered {
        Unanswered::Refused(refusal) => refusal,
        // The question may have arrived.
        Unanswered::Unreachable => return MemberError::LeaderChanged,
        Unanswered::TimedOut => return MemberError::TimedOut(Timeout::Unexplained),
    };
    match refusal.cause() {
        Cause::NotLeader => MemberError::NotNow,
        Cause::LeaderChanged | Cause::Stopped => MemberError::LeaderChanged,
        Cause::TimedOut => MemberError::TimedOut(Timeout::Unexplained),
        Cause::TimedOutLeaderFailed => MemberError::TimedOut(Timeout::LeaderFailed),
        Cause::TimedOutConnectionLost => MemberError::TimedOut(Timeout::ConnectionLost),
        Cause::MemberNotFound => MemberError::NotFound(id),
        Cause::MemberExists => MemberError::Exists(id),
        Cause::PeerUrlExists => MemberError::PeerUrlExists,
        Cause::TooManyLearners => MemberError::TooManyLearners,
        Cause::NotEnoughStarted => MemberError::NotEnoughStarted,
        Cause::Unhealthy => MemberError::Unhealthy,
        Cause::NotALearner => MemberError::NotLearner,
        Cause::LearnerNotReady => MemberError::LearnerNotReady,
        Cause::Other | Cause::NotUnderstood | Cause::Compacted | Cause::FutureRevision => {
            MemberError::Refused(refusal.text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_asking_member_finds_the_error_of_the_one_that_answered() {
        for error in [
            MemberError::NotFound(7),
            MemberError::Exists(7),
            MemberError::PeerUrlExists,
            MemberError::TooManyLearners,
            MemberError::NotEnoughStarted,
            MemberError::Unhealthy,
            MemberError::NotLearner,
            MemberError::LearnerNotReady,
            MemberError::NotNow,
            MemberError::LeaderChanged,
            MemberError::TimedOut(Timeout::Unexplained),
            MemberError::TimedOut(Timeout::LeaderFailed),
            MemberError::TimedOut(Timeout::ConnectionLost),
            MemberError::Refused("why".into()),
        ] {
            let refused = Unanswered::Refused(error.clone().into());
            assert_eq!(member_error(refused, 7), error);
        }
    }

    #[test]
    fn a_question_that_may_have_arrived_is_not_asked_again() {
        assert_eq!(member_error(Unanswered::Unreachable, 7), MemberError::LeaderChanged);
    }
}
