//! Backups: the whole state as a file that `etcdutl` and etcd itself accept, and such a file as the start of a store.
//!
//! Enters: a [`View`](crate::View) with a few facts about the member, or a snapshot file of etcd 3.4 or newer, or of
//! ours, or the directory of a stopped member of etcd ([`EtcdMember`]). Leaves: the file ([`write`]) and its pieces for a client ([`Chunks`]); what it holds ([`status`]);
//! a new store folder ([`restore`]). Always holds: a file written reaches the revision of its view; a file read is checked at every
//! length and offset; a checksum that does not match is refused unless the caller asks to skip it; users and roles
//! are never silently dropped.

mod bolt;
mod checksum;
mod layout;
mod member;
mod open;
mod restore;
mod source;
mod status;
mod survivors;
mod wal;
mod write;

#[cfg(test)]
mod tests;

pub use bolt::{ReadError, WriteError};
pub use checksum::{CHECKSUM_BYTES, Chunk, Chunks, has_checksum};
pub use member::{EtcdMember, MigrateError, Migrated};
pub use open::{Backup, OpenBackupError};
pub use restore::{Base, RestoreError, RestoreOptions, RestoreSummary, restore};
pub use source::{AuthRecords, BackupFacts, BackupMember, BackupSource, BackupSummary};
pub use status::{Status, status};
pub use wal::{EtcdContent, EtcdEntry, EtcdLog, WalError};
pub use write::{BackupError, write};
