//! What a snapshot file holds, figure for figure as `etcdutl snapshot status` counts it.

use std::collections::HashSet;
use std::path::Path;

use bytes::Bytes;
use prost::Message;
use taffrail_proto::mvccpb::KeyValue;

use super::bolt::Entries;
use super::layout::{self, parse_revision_key};
use super::open::{Backup, OpenBackupError};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// crc32c over the names, keys and values of all buckets in order.
    pub hash: u32,
    /// The main revision of the last record.
    pub revision: i64,
    /// Keys that live at that revision.
    pub total_keys: u64,
    pub total_size: u64,
    /// Empty for files of etcd before 3.6.
    pub version: String,
}

/// Reads the whole file. Its checksum is not looked at.
pub fn status(path: &Path) -> Result<Status, OpenBackupError> {
    let backup = Backup::open(path)?;
    let mut count = Count::default();
    for (name, entries) in backup.buckets() {
        count.add_bucket(name, entries?)?;
    }
    Ok(Status {
        hash: count.hash,
        revision: count.revision,
        total_keys: count.live_keys.len() as u64,
        total_size: backup.data_bytes(),
        version: backup.storage_version()?.unwrap_or_default(),
    })
}

#[derive(Default)]
struct Count {
    hash: u32,
    revision: i64,
    live_keys: HashSet<Box<[u8]>>,
}

impl Count {
    fn add_bucket(&mut self, name: &Bytes, entries: Entries<'_>) -> Result<(), OpenBackupError> {
        self.hash = crc32c::crc32c_append(self.hash, name);
        for entry in entries {
            let (key, value) = entry?;
            self.hash = crc32c::crc32c_append(self.hash, &key);
            self.hash = crc32c::crc32c_append(self.hash, &value);
            if name == layout::KEY {
                self.add_record(&key, value).ok_or_else(|| OpenBackupError::Malformed {
                    bucket: String::from_utf8_lossy(name).into_owned(),
                    key: key.to_vec(),
                })?;
            }
        }
        Ok(())
    }

    fn add_record(&mut self, key: &[u8], value: Bytes) -> Option<()> {
        let (revision, tombstone) = parse_revision_key(key)?;
        let user_key = KeyValue::decode(value).ok()?.key;
        self.revision = revision.main;
        if tombstone {
            self.live_keys.remove(user_key.as_ref());
        } else {
            self.live_keys.insert(user_key.as_ref().into());
        }
        Some(())
    }
}
