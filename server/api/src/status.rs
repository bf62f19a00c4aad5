//! Every error, its gRPC code and etcd's exact text. No other file knows codes.
//!
//! Clients match the texts (etcd api/v3rpc/rpctypes/error.go), so they are contract to the letter. Two errors reach
//! the wire as `Unknown` although etcd declares other codes for them; clients see the same from etcd itself.

use taffrail_member::{
    ApplyError, AuthChangeError, AuthError, AuthenticateError, BackupError, BarrierError, DowngradeError, LeaseError,
    MemberError, MoveLeaderError, ProposeError, RangeError, ReadError, Timeout, TxnError, WriteError,
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
    MEMBER_EXISTS: FailedPrecondition, "member ID already exist";
    PEER_URL_EXISTS: FailedPrecondition, "Peer URLs already exists";
    MEMBER_NOT_FOUND: NotFound, "member not found";
    MEMBER_NOT_LEARNER: FailedPrecondition, "can only promote a learner member";
    LEARNER_NOT_READY: FailedPrecondition, "can only promote a learner member which is in sync with leader";
    TOO_MANY_LEARNERS: FailedPrecondition, "too many learner members in cluster";
    UNHEALTHY: Unavailable, "unhealthy cluster";
    NOT_FOR_LEARNERS: FailedPrecondition, "rpc not supported for learner";
    REQUEST_TOO_LARGE: InvalidArgument, "request is too large";
    TOO_MANY_REQUESTS: Unknown, "too many requests";
    ROOT_USER_NOT_EXIST: FailedPrecondition, "root user does not exist";
    ROOT_ROLE_NOT_EXIST: FailedPrecondition, "root user does not have root role";
    USER_ALREADY_EXISTS: FailedPrecondition, "user name already exists";
    USER_EMPTY: InvalidArgument, "user name is empty";
    USER_NOT_FOUND: FailedPrecondition, "user name not found";
    ROLE_ALREADY_EXISTS: FailedPrecondition, "role name already exists";
    ROLE_NOT_FOUND: FailedPrecondition, "role name not found";
    ROLE_EMPTY: InvalidArgument, "role name is empty";
    AUTH_FAILED: InvalidArgument, "authentication failed, invalid user ID or password";
    PERMISSION_NOT_GIVEN: InvalidArgument, "permission not given";
    PERMISSION_DENIED: PermissionDenied, "permission denied";
    ROLE_NOT_GRANTED: FailedPrecondition, "role is not granted to the user";
    PERMISSION_NOT_GRANTED: FailedPrecondition, "permission is not granted to the role";
    INVALID_AUTH_TOKEN: Unauthenticated, "invalid auth token";
    INVALID_AUTH_MANAGEMENT: InvalidArgument, "invalid auth management";
    AUTH_OLD_REVISION: InvalidArgument, "revision of auth store is old";
    AUTH_NOT_ENABLED: FailedPrecondition, "authentication is not enabled";
    NO_LEADER: Unavailable, "no leader";
    NOT_LEADER: FailedPrecondition, "not leader";
    LEADER_CHANGED: Unavailable, "leader changed";
    STOPPED: Unavailable, "server stopped";
    TIMED_OUT: Unavailable, "request timed out";
    TIMED_OUT_LEADER_FAILED: Unavailable, "request timed out, possibly due to previous leader failure";
    TIMED_OUT_CONNECTION_LOST: Unavailable, "request timed out, possibly due to connection lost";
    TRANSFER_TIMED_OUT: Unknown, "request timed out, leader transfer took too long";
    CORRUPT: DataLoss, "corrupt cluster";
    BAD_LEADER_TRANSFEREE: FailedPrecondition, "bad leader transferee";
    WRONG_DOWNGRADE_VERSION: InvalidArgument, "wrong downgrade target version format";
    DOWNGRADE_IN_PROCESS: FailedPrecondition, "cluster has a downgrade job in progress";
    NO_INFLIGHT_DOWNGRADE: FailedPrecondition, "no inflight downgrade job";
    INVALID_DOWNGRADE_TARGET: InvalidArgument, "invalid downgrade target version";
    CLUSTER_VERSION_UNAVAILABLE: FailedPrecondition, "cluster version not found during downgrade";
    UNKNOWN_METHOD: Unknown, "unknown method";
}

/// etcd says some things without its prefix.
const fn bare(code: Code, text: &'static str) -> Refusal {
    Refusal { code, text }
}

// etcd has no code for it, so its inner text reaches the wire.
const NO_PASSWORD_USER: Refusal = bare(
    Code::Unknown,
    "auth: authentication failed, password was given for no password user",
);

// Of its concurrency library, which has no codes (client/v3/concurrency).
pub(crate) const SESSION_EXPIRED: Refusal = bare(Code::Unknown, "mutex: session is expired");
pub(crate) const NOT_ELECTED_LEADER: Refusal = bare(Code::Unknown, "election: not leader");
pub(crate) const NO_ELECTED_LEADER: Refusal = bare(Code::Unknown, "election: no leader");
pub(crate) const MISSING_LEADER_KEY: Refusal = bare(Code::Unknown, "\"leader\" field must be provided");

// Signs for a client to fall back to Range.
pub(crate) const NO_RANGE_STREAM: Refusal = bare(
    Code::Unimplemented,
    "unknown method RangeStream for service etcdserverpb.KV",
);
pub(crate) const NO_CUSTOM_ORDER: Refusal =
    bare(Code::Unimplemented, "RangeStream does not support custom sort orders");
pub(crate) const NO_REVISION_FILTERS: Refusal =
    bare(Code::Unimplemented, "RangeStream does not support revision filters");

/// etcd's Lock and Election are clients of their own server, and lose the code of its errors on the way. That the
/// server stops stays visible: another member can be asked.
pub(crate) fn as_unknown(status: Status) -> Status {
    if status.message() == STOPPED.text {
        return status;
    }
    Status::unknown(status.message())
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
        ApplyError::Auth(error) => auth(error).into(),
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
        WriteError::TimedOut(timeout) => timed_out(timeout).into(),
        WriteError::Unexpected => Status::internal("etcdserver: unexpected answer"),
    }
}

fn timed_out(timeout: Timeout) -> Refusal {
    match timeout {
        Timeout::Unexplained => TIMED_OUT,
        Timeout::LeaderFailed => TIMED_OUT_LEADER_FAILED,
        Timeout::ConnectionLost => TIMED_OUT_CONNECTION_LOST,
    }
}

pub(crate) fn member(error: MemberError) -> Status {
    match member_refusal(&error) {
        Some(refusal) => refusal.into(),
        None => Status::unknown(format!("etcdserver: {error}")),
    }
}

/// None for what etcd has no text of its own for.
pub(crate) fn member_refusal(error: &MemberError) -> Option<Refusal> {
    Some(match error {
        MemberError::NotFound(_) => MEMBER_NOT_FOUND,
        MemberError::Exists(_) => MEMBER_EXISTS,
        MemberError::PeerUrlExists => PEER_URL_EXISTS,
        MemberError::TooManyLearners => TOO_MANY_LEARNERS,
        MemberError::NotEnoughStarted => NOT_ENOUGH_STARTED,
        MemberError::Unhealthy => UNHEALTHY,
        MemberError::NotLearner => MEMBER_NOT_LEARNER,
        MemberError::LearnerNotReady => LEARNER_NOT_READY,
        MemberError::NotNow => NO_LEADER,
        MemberError::LeaderChanged => LEADER_CHANGED,
        MemberError::TimedOut(timeout) => timed_out(*timeout),
        MemberError::Stopped => STOPPED,
        MemberError::Refused(_) => return None,
    })
}

pub(crate) fn downgrade(error: DowngradeError) -> Status {
    match error {
        DowngradeError::WrongFormat => WRONG_DOWNGRADE_VERSION.into(),
        DowngradeError::InvalidTarget => INVALID_DOWNGRADE_TARGET.into(),
        DowngradeError::InProcess => DOWNGRADE_IN_PROCESS.into(),
        DowngradeError::NotInProcess => NO_INFLIGHT_DOWNGRADE.into(),
        DowngradeError::NotDecided => CLUSTER_VERSION_UNAVAILABLE.into(),
        DowngradeError::Read(error) => read(error),
        DowngradeError::Write(error) => write(error),
    }
}

pub(crate) fn move_leader(error: MoveLeaderError) -> Status {
    let refusal = match error {
        MoveLeaderError::NotLeader => NOT_LEADER,
        MoveLeaderError::BadTransferee(_) => BAD_LEADER_TRANSFEREE,
        MoveLeaderError::TimedOut => TRANSFER_TIMED_OUT,
        MoveLeaderError::Stopped => STOPPED,
    };
    refusal.into()
}

pub(crate) fn read(error: ReadError) -> Status {
    match error {
        ReadError::Range(RangeError::Compacted(_)) => COMPACTED.into(),
        ReadError::Range(RangeError::FutureRevision(_)) => FUTURE_REVISION.into(),
        ReadError::Range(RangeError::Failure(failure)) => Status::data_loss(format!("etcdserver: {failure}")),
        ReadError::Denied(error) => auth(&error).into(),
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

pub(crate) fn auth(error: &AuthError) -> Refusal {
    match error {
        AuthError::RootUserNotExist => ROOT_USER_NOT_EXIST,
        AuthError::RootRoleNotExist => ROOT_ROLE_NOT_EXIST,
        AuthError::UserAlreadyExists => USER_ALREADY_EXISTS,
        AuthError::UserNotFound => USER_NOT_FOUND,
        AuthError::UserEmpty => USER_EMPTY,
        AuthError::RoleAlreadyExists => ROLE_ALREADY_EXISTS,
        AuthError::RoleNotFound => ROLE_NOT_FOUND,
        AuthError::RoleEmpty => ROLE_EMPTY,
        AuthError::PermissionNotGiven => PERMISSION_NOT_GIVEN,
        AuthError::PermissionDenied => PERMISSION_DENIED,
        AuthError::RoleNotGranted => ROLE_NOT_GRANTED,
        AuthError::PermissionNotGranted => PERMISSION_NOT_GRANTED,
        AuthError::NotEnabled => AUTH_NOT_ENABLED,
        AuthError::InvalidManagement => INVALID_AUTH_MANAGEMENT,
        AuthError::OldRevision => AUTH_OLD_REVISION,
        AuthError::Failed => AUTH_FAILED,
        AuthError::NoPasswordUser => NO_PASSWORD_USER,
    }
}

/// What etcd has no code for reaches the wire as its own text.
pub(crate) fn authenticate(error: AuthenticateError) -> Status {
    match error {
        AuthenticateError::Denied(error) => auth(&error).into(),
        AuthenticateError::Read(error) => read(error),
        AuthenticateError::Write(error) => write(error),
        AuthenticateError::Password(_) | AuthenticateError::Token(_) => Status::unknown(error.to_string()),
    }
}

pub(crate) fn auth_change(error: AuthChangeError) -> Status {
    match error {
        AuthChangeError::Password(error) => Status::unknown(error.to_string()),
        AuthChangeError::Write(error) => write(error),
    }
}

pub(crate) fn lease(error: LeaseError) -> Status {
    match error {
        LeaseError::TtlTooLarge(_) => LEASE_TTL_TOO_LARGE.into(),
        LeaseError::NotFound(_) => LEASE_NOT_FOUND.into(),
        // etcd sends this one without its prefix.
        LeaseError::NotPrimary => Status::unknown("not a primary lessor"),
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
    fn each_refused_change_of_members_has_etcds_code_and_text() {
        let wire = |error| {
            let status = member(error);
            (status.code(), status.message().replacen("etcdserver: ", "", 1))
        };
        for (error, code, text) in [
            (MemberError::NotFound(1), Code::NotFound, "member not found"),
            (
                MemberError::Exists(1),
                Code::FailedPrecondition,
                "member ID already exist",
            ),
            (
                MemberError::PeerUrlExists,
                Code::FailedPrecondition,
                "Peer URLs already exists",
            ),
            (
                MemberError::TooManyLearners,
                Code::FailedPrecondition,
                "too many learner members in cluster",
            ),
            (
                MemberError::NotEnoughStarted,
                Code::Unknown,
                "re-configuration failed due to not enough started members",
            ),
            (MemberError::Unhealthy, Code::Unavailable, "unhealthy cluster"),
            (
                MemberError::NotLearner,
                Code::FailedPrecondition,
                "can only promote a learner member",
            ),
            (
                MemberError::LearnerNotReady,
                Code::FailedPrecondition,
                "can only promote a learner member which is in sync with leader",
            ),
            (
                MemberError::TimedOut(Timeout::LeaderFailed),
                Code::Unavailable,
                "request timed out, possibly due to previous leader failure",
            ),
            (
                MemberError::TimedOut(Timeout::ConnectionLost),
                Code::Unavailable,
                "request timed out, possibly due to connection lost",
            ),
        ] {
            assert_eq!(wire(error), (code, text.to_owned()));
        }
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
