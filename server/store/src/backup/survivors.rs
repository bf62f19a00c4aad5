//! What a compaction leaves of the history in a snapshot, when nobody has carried it out yet: one that etcd had
//! only begun, or the one that marks everything up to a bumped revision.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::open::{Backup, OpenBackupError};
use crate::{Revision, StoredRevision};

/// Stands for a user key: half of its SHA-256, so that memory depends on the number of keys but not on their length.
type Fingerprint = [u8; 16];

/// Of every key its last change at or below the floor.
pub struct Survivors {
    floor: i64,
    last: HashMap<Fingerprint, Revision>,
}

impl Survivors {
    /// Reads the whole history, unless the floor was already carried out.
    pub fn find(backup: &Backup, floor: i64) -> Result<Self, OpenBackupError> {
        let mut last = HashMap::new();
        if floor <= backup.compaction_finished()? {
            return Ok(Self { floor: -1, last });
        }
        for record in backup.records()? {
            let record = record?;
            if record.revision.main > floor {
                break;
            }
            last.insert(fingerprint(&record.kv.key), record.revision);
        }
        Ok(Self { floor, last })
    }

    /// As etcd compacts: above the floor everything stays; below it the last version of each key, unless that is its
    /// deletion, which stays only at the floor itself.
    pub fn contains(&self, record: &StoredRevision) -> bool {
        let at = record.revision;
        if at.main > self.floor {
            return true;
        }
        let is_last = self.last.get(&fingerprint(&record.kv.key)) == Some(&at);
        is_last && (!record.tombstone || at.main == self.floor)
    }
}

fn fingerprint(key: &[u8]) -> Fingerprint {
    let mut fingerprint = Fingerprint::default();
    fingerprint.copy_from_slice(&Sha256::digest(key)[..16]);
    fingerprint
}
