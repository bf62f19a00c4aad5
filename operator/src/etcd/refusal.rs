//! What etcd and the transport say, as an [`EtcdError`]: the one table.

use std::error::Error;

use tonic::{Code, Status};

use super::EtcdError;

const PREFIX: &str = "etcdserver: ";

/// `status` as an error. Texts come first, as in etcd's own client: two of them travel with the code Unknown.
/// `deadline_seconds` is what the caller waited at most.
pub(super) fn refusal(status: &Status, deadline_seconds: u64) -> EtcdError {
    if let Some(text) = tls_failure(status) {
        return EtcdError::Tls(text);
    }
    let said = status.message().strip_prefix(PREFIX).unwrap_or(status.message());
    by_text(said).unwrap_or_else(|| by_code(status, said, deadline_seconds))
}

fn by_text(said: &str) -> Option<EtcdError> {
    Some(match said {
        "member not found" => EtcdError::MemberNotFound,
        // An ID is made of the peer URLs and the second: asked twice within one, the ID is what etcd stumbles over.
        "Peer URLs already exists" | "member ID already exist" => EtcdError::PeerUrlExists,
        "too many learner members in cluster" => EtcdError::TooManyLearners,
        "can only promote a learner member which is in sync with leader" => EtcdError::LearnerNotReady,
        "can only promote a learner member" => EtcdError::NotLearner,
        "unhealthy cluster" | "re-configuration failed due to not enough started members" => {
            EtcdError::Unhealthy(said.into())
        }
        "no leader"
        | "leader changed"
        | "request timed out"
        | "request timed out, possibly due to previous leader failure"
        | "request timed out, possibly due to connection lost"
        | "request timed out, waiting for the applied index took too long" => EtcdError::NoQuorum(said.into()),
        "authentication failed, invalid user ID or password"
        | "permission denied"
        | "user name is empty"
        | "invalid auth token"
        | "invalid auth management"
        | "revision of auth store is old" => EtcdError::Denied(said.into()),
        _ => return None,
    })
}

fn by_code(status: &Status, said: &str, deadline_seconds: u64) -> EtcdError {
    match status.code() {
        Code::DeadlineExceeded => EtcdError::TimedOut(deadline_seconds),
        Code::Unavailable => EtcdError::Unreachable(with_causes(status, said)),
        Code::Unauthenticated | Code::PermissionDenied => EtcdError::Denied(said.into()),
        // Not from etcd at all: the connection broke under the call.
        _ if status.source().is_some() => EtcdError::Unreachable(with_causes(status, said)),
        _ => EtcdError::Refused(said.into()),
    }
}

/// Refused before anything was done because of who asks: with a new token the same call may be let in.
pub(super) fn wants_token(status: &Status, has_token: bool) -> bool {
    match status.message().strip_prefix(PREFIX).unwrap_or(status.message()) {
        "user name is empty" | "invalid auth token" | "revision of auth store is old" => true,
        "permission denied" => !has_token,
        _ => false,
    }
}

/// A learner does not do this, any voter may.
pub(super) fn asked_a_learner(status: &Status) -> bool {
    status.message().ends_with("rpc not supported for learner")
}

/// There was no connection, so nothing was sent.
pub(super) fn unsent(status: &Status) -> bool {
    causes(status).any(|cause| cause.is::<tonic::ConnectError>())
}

/// A failure to connect, which nothing was sent before.
pub(super) fn connecting(error: &(dyn Error + 'static)) -> EtcdError {
    match tls_failure(error) {
        Some(text) => EtcdError::Tls(text),
        None => EtcdError::Unreachable(with_causes(error, &error.to_string())),
    }
}

/// What TLS said, if it was TLS. An alert that comes after the handshake passes through h2, which keeps its text alone.
fn tls_failure(error: &(dyn Error + 'static)) -> Option<String> {
    let text = |cause: &(dyn Error + 'static)| {
        let text = cause.to_string();
        (cause.is::<rustls::Error>() || text.starts_with("received fatal alert")).then_some(text)
    };
    causes(error).find_map(text)
}

fn with_causes(error: &(dyn Error + 'static), said: &str) -> String {
    match causes(error).skip(1).last() {
        Some(last) if last.to_string() != said => format!("{said}: {last}"),
        _ => said.into(),
    }
}

/// The error and all below it.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| below(*error))
}

/// [`std::io::Error`] passes over what it was made of when it is asked for its source.
fn below<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<std::io::Error>() {
        Some(io) => io.get_ref().map(|inside| inside as &(dyn Error + 'static)),
        None => error.source(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_etcd_says_is_understood_by_its_text_and_else_by_its_code() {
        let unhealthy = "re-configuration failed due to not enough started members";
        let table = [
            (Code::NotFound, "member not found", EtcdError::MemberNotFound),
            (
                Code::FailedPrecondition,
                "Peer URLs already exists",
                EtcdError::PeerUrlExists,
            ),
            (
                Code::FailedPrecondition,
                "too many learner members in cluster",
                EtcdError::TooManyLearners,
            ),
            (
                Code::FailedPrecondition,
                "can only promote a learner member which is in sync with leader",
                EtcdError::LearnerNotReady,
            ),
            (
                Code::FailedPrecondition,
                "can only promote a learner member",
                EtcdError::NotLearner,
            ),
            (Code::Unknown, unhealthy, EtcdError::Unhealthy(unhealthy.into())),
            (Code::Unavailable, "no leader", EtcdError::NoQuorum("no leader".into())),
            (
                Code::Unavailable,
                "server stopped",
                EtcdError::Unreachable("server stopped".into()),
            ),
            (
                Code::PermissionDenied,
                "permission denied",
                EtcdError::Denied("permission denied".into()),
            ),
            (
                Code::FailedPrecondition,
                "not leader",
                EtcdError::Refused("not leader".into()),
            ),
        ];
        for (code, text, error) in table {
            assert_eq!(
                refusal(&Status::new(code, format!("{PREFIX}{text}")), 5),
                error,
                "{text}"
            );
        }
        assert_eq!(
            refusal(&Status::deadline_exceeded("context deadline exceeded"), 5),
            EtcdError::TimedOut(5)
        );
    }

    #[test]
    fn an_alert_inside_of_an_io_error_is_a_failure_of_tls() {
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired);
        let status = Status::from_error(Box::new(std::io::Error::other(alert)));
        assert!(matches!(refusal(&status, 5), EtcdError::Tls(_)), "{status:?}");
    }
}
