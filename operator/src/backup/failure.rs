//! Why a work was not done: one word for a condition, a sentence that says what to do, and whether to try again.

use super::Outcome;

/// A termination message has 4096 bytes in all; what a store says can be a page of HTML.
const MESSAGE_CHARACTERS_MAX: usize = 1200;

/// The word, and whether another attempt would meet the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The request, a Secret or a key makes no sense.
    Invalid,
    NoSuchBucket,
    AccessDenied,
    CredentialsExpired,
    /// The certificate of the store is not trusted, or it trusts not ours.
    Untrusted,
    /// No progress for as long as was allowed.
    Stalled,
    Unreachable,
    /// The store answers, and says that it cannot now.
    Unavailable,
    NoRoom,
    /// A disk failed, or a file could not be read.
    Disk,
    /// The object is not there.
    NotFound,
    /// Something else has its name.
    Exists,
    /// Something else is in the folder.
    Occupied,
    Truncated,
    ChecksumMismatch,
    DecryptionFailed,
    NotASnapshot,
    /// What the manifest says is not what the EtcdBackup says.
    Mismatch,
    /// Made by a later version.
    NewerFormat,
    NoMember,
    MemberBehind,
    MemberDenied,
    NoQuorum,
    /// The alarm CORRUPT is raised.
    CorruptMember,
    /// The restored data are not what was backed up.
    Different,
    /// It was told to end.
    Stopped,
    Failed,
}

impl Reason {
    fn hopeless(self) -> bool {
        use Reason::*;
        match self {
            Invalid | NoSuchBucket | AccessDenied | CredentialsExpired | Untrusted | NoRoom | NotFound | Exists
            | Occupied | ChecksumMismatch | DecryptionFailed | NotASnapshot | Mismatch | NewerFormat | MemberDenied
            | Different => true,
            Stalled | Unreachable | Unavailable | Disk | Truncated | NoMember | MemberBehind | NoQuorum
            | CorruptMember | Stopped | Failed => false,
        }
    }
}

/// A work that was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason:?}: {message}")]
pub struct Failure {
    pub reason: Reason,
    pub message: String,
    /// Another attempt would meet it again.
    pub hopeless: bool,
}

impl Failure {
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            hopeless: reason.hopeless(),
        }
    }

    /// A file that could not be read or written.
    pub fn disk(path: &std::path::Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        let (reason, hint) = match error.kind() {
            StorageFull | QuotaExceeded => (
                Reason::NoRoom,
                ": the volume is full; make it larger, or make room in it",
            ),
            PermissionDenied => (
                Reason::AccessDenied,
                ": let the user of the pod write there (fsGroup of the volume)",
            ),
            ReadOnlyFilesystem => (Reason::AccessDenied, ": the volume is mounted for reading only"),
            _ => (Reason::Disk, ""),
        };
        Self::new(reason, format!("{}: {error}{hint}", path.display()))
    }

    /// What came is not what was sent, or not what it should be: nothing failed on the way.
    pub fn is_damage(&self) -> bool {
        use Reason::{ChecksumMismatch, DecryptionFailed, NotASnapshot, Truncated};
        matches!(
            self.reason,
            ChecksumMismatch | DecryptionFailed | NotASnapshot | Truncated
        )
    }

    pub fn outcome(&self) -> Outcome {
        Outcome::Failed {
            reason: format!("{:?}", self.reason),
            message: self.message.chars().take(MESSAGE_CHARACTERS_MAX).collect(),
            hopeless: self.hopeless,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};
    use std::path::Path;

    use super::*;

    #[test]
    fn a_full_volume_is_named_and_not_tried_again() {
        let failure = Failure::disk(Path::new("/backups/a"), &Error::from(ErrorKind::StorageFull));
        assert_eq!((failure.reason, failure.hopeless), (Reason::NoRoom, true));
        assert!(failure.message.starts_with("/backups/a: "), "{failure}");
    }

    #[test]
    fn a_page_of_html_fits_into_a_termination_message() {
        let outcome = Failure::new(Reason::Unavailable, "<p>".repeat(5000)).outcome();
        assert!(serde_json::to_string(&outcome).unwrap().len() < 4096);
        let expected = |hopeless| matches!(&outcome, Outcome::Failed { reason, hopeless: h, .. } if reason == "Unavailable" && *h == hopeless);
        assert!(expected(false));
    }
}
