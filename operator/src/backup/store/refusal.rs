//! What stores say, as reasons: the one table. Stores say it as status, as a code in XML, and in their errors' texts.

use object_store::Error;

use crate::backup::{Failure, Reason};

/// What stands in an answer, what it means, what to do. The first that fits counts.
const TABLE: [(&str, Reason, &str); 24] = [
    (
        "NoSuchBucket",
        Reason::NoSuchBucket,
        "there is no such bucket: make it, or correct its name",
    ),
    (
        "ContainerNotFound",
        Reason::NoSuchBucket,
        "there is no such container: make it, or correct its name",
    ),
    (
        "The specified bucket does not exist",
        Reason::NoSuchBucket,
        "there is no such bucket: make it, or correct its name",
    ),
    (
        "ExpiredToken",
        Reason::CredentialsExpired,
        "the credentials have expired: put new ones into the Secret",
    ),
    (
        "TokenRefreshRequired",
        Reason::CredentialsExpired,
        "the credentials have expired: put new ones into the Secret",
    ),
    (
        "RequestTimeTooSkewed",
        Reason::AccessDenied,
        "the clocks of node and store are too far apart: correct the node's",
    ),
    (
        "InvalidAccessKeyId",
        Reason::AccessDenied,
        "the store does not know these credentials: correct the Secret",
    ),
    (
        "SignatureDoesNotMatch",
        Reason::AccessDenied,
        "the secret key is wrong: correct the Secret",
    ),
    (
        "AuthenticationFailed",
        Reason::AccessDenied,
        "the store does not accept these credentials: correct the Secret",
    ),
    (
        "invalid_grant",
        Reason::AccessDenied,
        "the store does not accept these credentials: correct the Secret",
    ),
    ("AccessDenied", Reason::AccessDenied, RIGHTS),
    ("AuthorizationPermissionMismatch", Reason::AccessDenied, RIGHTS),
    (
        "QuotaExceeded",
        Reason::NoRoom,
        "the store is full: raise its quota, or keep less",
    ),
    (
        "StorageFull",
        Reason::NoRoom,
        "the store is full: raise its quota, or keep less",
    ),
    (
        "507 Insufficient Storage",
        Reason::NoRoom,
        "the store is full: raise its quota, or keep less",
    ),
    (
        "PermanentRedirect",
        Reason::Invalid,
        "the bucket is in another region: name it in the target",
    ),
    (
        "without LOCATION",
        Reason::Invalid,
        "the bucket is in another region: name it in the target",
    ),
    (
        "AuthorizationHeaderMalformed",
        Reason::Invalid,
        "the bucket is in another region: name it in the target",
    ),
    (
        "invalid peer certificate",
        Reason::Untrusted,
        "its certificate is not trusted: give the authority as ca.crt in the Secret",
    ),
    ("SlowDown", Reason::Unavailable, "the store asks to come back later"),
    (
        "TooManyRequests",
        Reason::Unavailable,
        "the store asks to come back later",
    ),
    ("ServerBusy", Reason::Unavailable, "the store asks to come back later"),
    (
        "metadata",
        Reason::AccessDenied,
        "the pod has no identity that the store knows: give credentialsSecretRef, or a serviceAccountName with one",
    ),
    (
        "169.254.169.254",
        Reason::AccessDenied,
        "the pod has no identity that the store knows: give credentialsSecretRef, or a serviceAccountName with one",
    ),
];

const RIGHTS: &str = "the store refuses: let these credentials list, read, write and remove objects there";
/// What an answer is quoted with at most.
const QUOTED_CHARACTERS_MAX: usize = 400;

/// `error` of the store at `uri` as a failure.
pub(super) fn failure(error: &Error, uri: &str) -> Failure {
    let said = texts(error);
    let (reason, hint) = TABLE
        .iter()
        .find(|(mark, ..)| said.contains(mark))
        .map(|(_, reason, hint)| (*reason, *hint))
        .unwrap_or_else(|| by_kind(error, &said));
    Failure::new(reason, format!("{uri}: {hint} ({})", quoted(&said)))
}

/// A store that cannot even be spoken to with what was given.
pub(super) fn unusable(error: &Error) -> Failure {
    Failure::new(
        Reason::Invalid,
        format!("the target makes no sense: {}", quoted(&texts(error))),
    )
}

/// The object is not there; that the bucket is not is another matter.
pub(super) fn is_absence(error: &Error) -> bool {
    matches!(error, Error::NotFound { .. }) && !TABLE[..3].iter().any(|(mark, ..)| texts(error).contains(mark))
}

/// Servers that never heard of `If-None-Match` on a write.
pub(super) fn knows_no_conditions(error: &Error) -> bool {
    let said = texts(error);
    said.contains("NotImplemented") || said.contains("501 Not Implemented")
}

fn by_kind(error: &Error, said: &str) -> (Reason, &'static str) {
    match error {
        Error::NotFound { .. } => (
            Reason::NotFound,
            "there is no such object: look at what is in the target",
        ),
        Error::PermissionDenied { .. } => (Reason::AccessDenied, RIGHTS),
        Error::Unauthenticated { .. } => (
            Reason::AccessDenied,
            "the store does not accept these credentials: correct the Secret",
        ),
        Error::AlreadyExists { .. } | Error::Precondition { .. } => (Reason::Exists, "the name is taken"),
        _ if is_refused_connection(said) => (
            Reason::Unreachable,
            "the store cannot be reached: look at its address and at the network between",
        ),
        _ => (Reason::Unavailable, "the store cannot do it now"),
    }
}

fn is_refused_connection(said: &str) -> bool {
    [
        "error trying to connect",
        "client error (Connect)",
        "dns error",
        "Connection refused",
        "error sending request",
    ]
    .iter()
    .any(|mark| said.contains(mark))
}

/// The error and what is below it. Keys travel in headers, tokens of Azure in queries.
fn texts(error: &Error) -> String {
    let mut all = error.to_string();
    let mut below = std::error::Error::source(error);
    while let Some(one) = below {
        let text = one.to_string();
        if !all.contains(&text) {
            all = format!("{all}: {text}");
        }
        below = one.source();
    }
    without_queries(&all)
}

fn without_queries(text: &str) -> String {
    let words = text.split(' ').map(|word| match word.split_once('?') {
        Some((address, _)) if address.contains("://") => address,
        _ => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

fn quoted(said: &str) -> String {
    said.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(QUOTED_CHARACTERS_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> Error {
        Error::Generic {
            store: "S3",
            source: text.into(),
        }
    }

    fn missing(text: &str) -> Error {
        Error::NotFound {
            path: "a".into(),
            source: text.into(),
        }
    }

    #[test]
    fn what_a_store_says_is_understood() {
        let denied = Error::PermissionDenied {
            path: "a".into(),
            source: "<Code>Nope</Code>".into(),
        };
        let table = [
            (missing("<Code>NoSuchBucket</Code>"), Reason::NoSuchBucket),
            (missing("<Code>NoSuchKey</Code>"), Reason::NotFound),
            (denied, Reason::AccessDenied),
            (
                generic("400 Bad Request: <Code>ExpiredToken</Code>"),
                Reason::CredentialsExpired,
            ),
            (generic("invalid peer certificate: UnknownIssuer"), Reason::Untrusted),
            (
                generic("503 Service Unavailable: <Code>SlowDown</Code>"),
                Reason::Unavailable,
            ),
            (generic("500 Internal Server Error"), Reason::Unavailable),
            (
                generic("client error (Connect): tcp connect error"),
                Reason::Unreachable,
            ),
        ];
        for (error, reason) in table {
            assert_eq!(failure(&error, "s3://b").reason, reason, "{error}");
        }
    }

    #[test]
    fn a_missing_bucket_is_not_a_missing_object() {
        assert!(is_absence(&missing("<Code>NoSuchKey</Code>")));
        assert!(!is_absence(&missing("<Code>NoSuchBucket</Code>")));
    }

    #[test]
    fn tokens_in_addresses_are_not_repeated() {
        let error = generic("Error performing GET https://a.blob.core.windows.net/c?sv=1&sig=SECRET in 2s - 500");
        let failure = failure(&error, "azure://a/c");
        assert!(
            !failure.message.contains("SECRET") && failure.message.contains("in 2s"),
            "{failure}"
        );
    }
}
