//! Where a change stands in the order of all changes.

use taffrail_proto::mvccpb::KeyValue;

/// `main` counts the changes that happen atomically, `sub` the keys changed within one of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision {
    pub main: i64,
    pub sub: u32,
}

/// One version of a key, or the mark that it was deleted.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRevision {
    pub revision: Revision,
    pub tombstone: bool,
    /// Of a tombstone only the key is set.
    pub kv: KeyValue,
}
