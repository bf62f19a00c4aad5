//! What an error says about whether the request was carried out.

use tonic::{Code, Status};

use crate::history::Outcome;

/// Codes that etcd gives before it proposes anything, or as the result of applying what changes nothing.
const DEFINITE: [Code; 8] = [
    Code::InvalidArgument,
    Code::NotFound,
    Code::AlreadyExists,
    Code::FailedPrecondition,
    Code::OutOfRange,
    Code::ResourceExhausted,
    Code::PermissionDenied,
    Code::Unimplemented,
];

pub fn of(status: &Status) -> Outcome {
    let text = format!("{:?}: {}", status.code(), status.message());
    if DEFINITE.contains(&status.code()) {
        Outcome::Refused(text)
    } else {
        Outcome::Unknown(text)
    }
}

/// Whether the connection is not worth asking again.
pub fn breaks_the_connection(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Unknown(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_is_definite() {
        assert!(matches!(of(&Status::out_of_range("compacted")), Outcome::Refused(_)));
        for doubtful in [
            Status::unavailable("x"),
            Status::deadline_exceeded("x"),
            Status::unknown("x"),
            Status::internal("x"),
        ] {
            assert!(matches!(of(&doubtful), Outcome::Unknown(_)));
        }
    }
}
