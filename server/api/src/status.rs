//! Every error, its gRPC code and etcd's exact text. No other file knows codes.
//!
//! Clients match the texts (etcd api/v3rpc/rpctypes/error.go), so they are contract to the letter. Two errors reach
//! the wire as `Unknown` although etcd declares other codes for them; clients see the same from etcd itself.

use taffrail_member::{
    ApplyError, BackupError, BarrierError, LeaseError, ProposeError, RangeError, ReadError, TxnError, WriteError,
};
use tonic::{Code, Status};

/// A refusal as it goes over the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub code: Code,
    pub text: &'static str,
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Status {
        Status::new(refusal.code, refusal.text)
    }
}

macro_rules! refusals {
    ($($name:ident: $code:ident, $text:literal;)*) => {
        $(pub(crate) const $name: Refusal = Refusal { code: Code::$code, text: concat!("etcdserver: ", $text) };)*
    };
}

refusals! {
    EMPTY_KEY: InvalidArgument, "key is not provided";
    KEY_TOO_LARGE: InvalidArgument, "key is larger than 32736 bytes";
    KEY_NOT_FOUND: InvalidArgument, "key not found";
    VALUE_PROVIDED: InvalidArgument, "value is provided";
    LEASE_PROVIDED: InvalidArgument, "lease is provided";
    TOO_MANY_OPS: InvalidArgument, "too many operations in txn request";
    DUPLICATE_KEY: InvalidArgument, "duplicate key given in txn request";
    INVALID_CLIENT_API_VERSION: InvalidArgument, "invalid client api version";
    INVALID_SORT_OPTION: InvalidArgument, "invalid sort option";
    COMPACTED: OutOfRange, "mvcc: required revision has been compacted";
    FUTURE_REVISION: OutOfRange, "mvcc: required revision is a future revision";
    NO_SPACE: ResourceExhausted, "mvcc: database space exceeded";
    LEASE_NOT_FOUND: NotFound, "requested lease not found";
    LEASE_EXISTS: FailedPrecondition, "lease already exists";
    LEASE_TTL_TOO_LARGE: OutOfRange, "too large lease TTL";
    NOT_ENOUGH_STARTED: Unknown, "re-configuration failed due to not enough started members";
    MEMBER_BAD_URLS: InvalidArgument, "given member URLs are invalid";
    PEER_URL_EXISTS: FailedPrecondition, "Peer URLs already exists";
    MEMBER_NOT_FOUND: NotFound, "member not found";
    MEMBER_NOT_LEARNER: FailedPrecondition, "can only promote a learner member";
    REQUEST_TOO_LARGE: InvalidArgument, "request is too large";
    TOO_MANY_REQUESTS: Unknown, "too many requests";
    AUTH_NOT_ENABLED: FailedPrecondition, "authentication is not enabled";
    NO_LEADER: Unavailable, "no leader";
    NOT_LEADER: FailedPrecondition, "not leader";
    LEADER_CHANGED: Unavailable, "leader changed";
    STOPPED: Unavailable, "server stopped";
    TIMED_OUT: Unavailable, "request timed out";
    CORRUPT: DataLoss, "corrupt cluster";
    BAD_LEADER_TRANSFEREE: FailedPrecondition, "bad leader transferee";
    WRONG_DOWNGRADE_VERSION: InvalidArgument, "wrong downgrade target version format";
    INVALID_DOWNGRADE_TARGET: InvalidArgument, "invalid downgrade target version";
    CLUSTER_VERSION_UNAVAILABLE: FailedPrecondition, "cluster version not found during downgrade";
    UNKNOWN_METHOD: Unknown, "unknown method";
}

pub(crate) fn apply(error: &ApplyError) -> Status {
    match error {
        ApplyError::Compacted(_) => COMPACTED.into(),
        ApplyError::FutureRevision(_) => FUTURE_REVISION.into(),
        ApplyError::KeyNotFound(_) => KEY_NOT_FOUND.into(),
        ApplyError::LeaseNotFound(_) => LEASE_NOT_FOUND.into(),
        ApplyError::LeaseExists(_) => LEASE_EXISTS.into(),
        ApplyError::NoSpace(_) => NO_SPACE.into(),
        ApplyError::Corrupt(_) => CORRUPT.into(),
        ApplyError::Malformed(why) => Status::invalid_argument(format!("etcdserver: malformed request: {why}")),
    }
}

fn propose(error: &ProposeError) -> Status {
    match error {
        ProposeError::NoLeader => NO_LEADER.into(),
        ProposeError::LeaderChanged => LEADER_CHANGED.into(),
        ProposeError::Stopped => STOPPED.into(),
    }
}

fn barrier(error: &BarrierError) -> Status {
    match error {
        BarrierError::NoLeader => NO_LEADER.into(),
        BarrierError::LeaderChanged => LEADER_CHANGED.into(),
        BarrierError::Stopped => STOPPED.into(),
    }
}

pub(crate) fn write(error: WriteError) -> Status {
    match error {
        WriteError::TooLarge { .. } => REQUEST_TOO_LARGE.into(),
        WriteError::TooManyRequests => TOO_MANY_REQUESTS.into(),
        WriteError::NoSpace => NO_SPACE.into(),
        WriteError::Refused(error) => apply(&error),
        WriteError::Propose(error) => propose(&error),
        WriteError::TimedOut => TIMED_OUT.into(),
        WriteError::Unexpected => Status::internal("etcdserver: unexpected answer"),
    }
}

pub(crate) fn read(error: ReadError) -> Status {
    match error {
        ReadError::Range(RangeError::Compacted(_)) => COMPACTED.into(),
        ReadError::Range(RangeError::FutureRevision(_)) => FUTURE_REVISION.into(),
        ReadError::Range(RangeError::Failure(failure)) => Status::data_loss(format!("etcdserver: {failure}")),
        ReadError::Barrier(error) => barrier(&error),
        ReadError::TimedOut => TIMED_OUT.into(),
    }
}

pub(crate) fn txn(error: TxnError) -> Status {
    match error {
        TxnError::Read(error) => read(error),
        TxnError::Write(error) => write(error),
    }
}

pub(crate) fn lease(error: LeaseError) -> Status {
    match error {
        LeaseError::TtlTooLarge(_) => LEASE_TTL_TOO_LARGE.into(),
        LeaseError::NotFound(_) => LEASE_NOT_FOUND.into(),
        LeaseError::Write(error) => write(error),
        LeaseError::Read(error) => read(error),
    }
}

pub(crate) fn backup(error: &BackupError) -> Status {
    Status::unknown(format!("etcdserver: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_clients_match_carry_etcds_prefix_once() {
        assert_eq!(COMPACTED.text, "etcdserver: mvcc: required revision has been compacted");
        assert_eq!(NO_SPACE.text, "etcdserver: mvcc: database space exceeded");
    }

    #[test]
    fn overload_reaches_the_wire_as_unknown_as_it_does_from_etcd() {
        let status = write(WriteError::TooManyRequests);
        assert_eq!(
            (status.code(), status.message()),
            (Code::Unknown, "etcdserver: too many requests")
        );
    }
}
