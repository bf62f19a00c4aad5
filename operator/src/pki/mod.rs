//! Certificates: made, read and judged. Nothing here knows Kubernetes; the time is passed in, keys are random.
//!
//! Enters: what is stored and what is wanted. Leaves: the next thing to store, or what is wrong with what is there.
//! Always holds: an authority is dropped from a bundle only after nobody needs it, and a certificate is only taken for
//! good if the very verifier that a TLS connection uses would accept it.

mod authority;
mod check;
mod facts;
mod leaf;
mod rotation;
mod stored;

pub use authority::{PkiError, found, issue};
pub use check::{Flaw, Use, check};
pub use facts::{Facts, facts};
pub use leaf::{Leaf, due, is_by, needs_renewal};
pub use rotation::{Rotation, advance, next_due, whole};
pub use stored::{Step, Stored};

use std::time::Duration;

use jiff::Timestamp;

/// A certificate (a chain, if others stand between it and its authority) and its key; PEM.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

/// A key never gets into a log.
impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair").finish_non_exhaustive()
    }
}

/// Clocks differ: a new certificate is valid from a little before now.
const BACKDATED: Duration = Duration::from_secs(300);

/// The moment when two thirds of a life are over.
pub(crate) fn two_thirds(from: Timestamp, until: Timestamp) -> Timestamp {
    let life = until.as_second().saturating_sub(from.as_second());
    Timestamp::from_second(from.as_second() + life / 3 * 2).unwrap_or(until)
}

#[cfg(test)]
pub(crate) mod testing {
    use jiff::Timestamp;

    pub const DAY: i64 = 24 * 3600;

    /// So many seconds after a fixed day in 2026.
    pub fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + seconds).unwrap()
    }
}
