//! Grants and what is attached to them. Deadlines are not kept here: they belong to the leader's clock.

/// A granted lease, times in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    pub id: i64,
    pub ttl_s: i64,
    /// What was left at the last checkpoint; 0 if there was none.
    pub remaining_ttl_s: i64,
}
