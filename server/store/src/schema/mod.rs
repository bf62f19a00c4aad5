//! What stands on disk, one file per kind of record.
//!
//! Enters: values of the store's own types. Leaves: bytes, and values parsed back from bytes. Always holds: numbers
//! are big endian, so that the engine's byte order is their order; a tag is never used again for something else;
//! bytes that cannot be right become [`StoreFailure::Damaged`], never a panic.
//!
//! | keyspace  | key                                     | value                                                     | file          |
//! |-----------|-----------------------------------------|-----------------------------------------------------------|---------------|
//! | `current` | user key                                | create 8, mod main 8, mod sub 4, version 8, lease 8, value | `record`      |
//! | `log`     | main 8, sub 4                           | kind 1, bytes so far 8, value length 4, key length 4, key, replaced record | `log` |
//! | `history` | escaped user key, superseding main 8, sub 4 | mod main of what was superseded 8                     | `history`     |
//! | `system`  | `s`                                     | counters and position, 7 x 8                                  | `state`       |
//! | `system`  | `c` first key                           | number of keys 4                                          | `chunk`       |
//! | `system`  | `h`                                     | main 8, sub 4 up to which `history` is complete           | `complete`    |
//! | `system`  | `l` lease id 8                          | granted ttl 8, remaining ttl 8                            | `lease`       |
//! | `system`  | `k` lease id 8, user key                | empty                                                     | `attachment`  |
//! | `system`  | `a` member id 8, alarm 4                | empty                                                     | `alarm`       |
//! | `system`  | `n` member id 8                         | `membershippb.Attributes`                                 | `attributes`  |
//! | `system`  | `v`                                     | cluster version, text                                     | `attributes`  |
//! | `system`  | `d`                                     | `membershippb.DowngradeInfoSetRequest`                    | `attributes`  |
//! | `system`  | `u` name                                | `authpb.User`                                             | `auth`        |
//! | `system`  | `r` name                                | `authpb.Role`                                             | `auth`        |
//! | `system`  | `e`                                     | access control on 1, auth revision 8                      | `auth`        |
//! | `system`  | `m`                                     | term 8, index 8, the consensus layer's bytes              | `membership`  |
//! | `system`  | `x`                                     | logical bytes dropped so far 8                            | `cleaned`     |
//! | `system`  | `i`                                     | term 8, index 8 at which this store was installed         | `installed`   |
//!
//! `history` lags behind: what it lacks above the row `h` (or altogether, without that row) follows from `log`.
//!
//! Beside the engine's folder stands the file `format` with the version of all this as decimal text.

pub(crate) mod alarm;
pub(crate) mod attachment;
pub(crate) mod attributes;
pub(crate) mod auth;
pub(crate) mod chunk;
pub(crate) mod cleaned;
pub(crate) mod complete;
mod fields;
pub(crate) mod format;
pub(crate) mod history;
pub(crate) mod installed;
pub(crate) mod lease;
pub(crate) mod log;
pub(crate) mod membership;
pub(crate) mod record;
pub(crate) mod revision;
pub(crate) mod state;

pub(crate) use fields::Fields;

use crate::StoreFailure;

/// Longest user key that can be stored: the engine takes keys below 64 KiB, and escaping may double one.
pub(crate) const KEY_BYTES_MAX: usize = 32_736;

/// First byte of every key in `system`.
pub(crate) mod tag {
    pub(crate) const ALARM: u8 = b'a';
    pub(crate) const CHUNK: u8 = b'c';
    pub(crate) const DOWNGRADE: u8 = b'd';
    pub(crate) const AUTH: u8 = b'e';
    pub(crate) const COMPLETE: u8 = b'h';
    pub(crate) const INSTALLED: u8 = b'i';
    pub(crate) const ATTACHMENT: u8 = b'k';
    pub(crate) const LEASE: u8 = b'l';
    pub(crate) const MEMBERSHIP: u8 = b'm';
    pub(crate) const ATTRIBUTES: u8 = b'n';
    pub(crate) const ROLE: u8 = b'r';
    pub(crate) const STATE: u8 = b's';
    pub(crate) const USER: u8 = b'u';
    pub(crate) const VERSION: u8 = b'v';
    pub(crate) const CLEANED: u8 = b'x';
}

pub(crate) fn damaged(what: &str, why: &str) -> StoreFailure {
    StoreFailure::Damaged(format!("{what}: {why}"))
}
