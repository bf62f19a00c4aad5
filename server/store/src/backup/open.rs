//! A snapshot file, opened: etcd's buckets as values of ours.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use bytes::Bytes;
use prost::Message;
use taffrail_proto::etcdserverpb::AlarmMember;
use taffrail_proto::mvccpb::KeyValue;

use super::bolt::{Bucket, Entries, ReadError, Reader};
use super::checksum;
use super::layout::{self, LeaseRecord, parse_revision_key};
use super::source::AuthRecords;
use crate::{Lease, Position, StoredRevision};

/// Why a snapshot file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum OpenBackupError {
    #[error("cannot open snapshot: {0}")]
    Open(std::io::Error),
    #[error("cannot read snapshot: {0}")]
    Read(#[from] ReadError),
    #[error("snapshot missing hash: a file copied from a data directory has none, skip the check for it")]
    NoChecksum,
    #[error("the snapshot's hash does not match: it is damaged or was cut off, take another one")]
    WrongChecksum,
    #[error("the snapshot has no bucket `{0}`: it is none of etcd's")]
    NoBucket(String),
    #[error("the snapshot's bucket `{bucket}` holds a malformed entry {key:02x?}")]
    Malformed { bucket: String, key: Vec<u8> },
}

/// An open snapshot file of etcd 3.4 or newer, or of ours.
pub struct Backup {
    reader: Reader,
    buckets: Vec<(Bytes, Bucket)>,
}

impl Backup {
    /// Opens the file without looking at its checksum.
    pub fn open(path: &Path) -> Result<Self, OpenBackupError> {
        Self::from_file(File::open(path).map_err(OpenBackupError::Open)?)
    }

    /// Opens the file after reading all of it and comparing its checksum.
    pub fn open_checked(path: &Path) -> Result<Self, OpenBackupError> {
        let mut file = File::open(path).map_err(OpenBackupError::Open)?;
        let file_bytes = file.metadata().map_err(OpenBackupError::Open)?.len();
        if !checksum::has_checksum(file_bytes) {
            return Err(OpenBackupError::NoChecksum);
        }
        if !checksum::is_intact(&mut file).map_err(OpenBackupError::Open)? {
            return Err(OpenBackupError::WrongChecksum);
        }
        Self::from_file(file)
    }

    fn from_file(file: File) -> Result<Self, OpenBackupError> {
        let reader = Reader::open(file)?;
        let buckets = reader.buckets()?;
        Ok(Self { reader, buckets })
    }

    /// How far into its member's log the state reaches; none in a file of no member. The term is 0 before etcd 3.5.
    pub fn position(&self) -> Result<Option<Position>, OpenBackupError> {
        let number = |name: &[u8]| -> Result<Option<u64>, OpenBackupError> {
            Ok(self.value(layout::META, name)?.as_ref().and_then(layout::parse_u64))
        };
        let term = number(layout::TERM)?.unwrap_or_default();
        Ok(number(layout::CONSISTENT_INDEX)?.map(|index| Position { term, index }))
    }

    /// Members by id, and whether they vote.
    pub(super) fn member_votes(&self) -> Result<BTreeMap<u64, bool>, OpenBackupError> {
        let members = self.decoded(layout::MEMBERS, |key, value| {
            let id = u64::from_str_radix(std::str::from_utf8(&key).ok()?, 16).ok()?;
            Some((id, !layout::is_learner(&value)))
        })?;
        Ok(members.into_iter().collect())
    }

    pub fn data_bytes(&self) -> u64 {
        self.reader.data_bytes()
    }

    /// Every bucket in order of their names.
    pub fn buckets(&self) -> impl Iterator<Item = (&Bytes, Result<Entries<'_>, ReadError>)> {
        self.buckets
            .iter()
            .map(|(name, bucket)| (name, self.reader.entries(bucket)))
    }

    /// How far etcd has removed what compaction lets go, -1 if there was none.
    pub fn compaction_finished(&self) -> Result<i64, OpenBackupError> {
        self.revision_in_meta(layout::FINISHED_COMPACTION)
    }

    /// The oldest readable revision, -1 if there was no compaction. One that etcd had only begun counts: its readers
    /// saw it, and etcd itself would finish it.
    pub fn compacted(&self) -> Result<i64, OpenBackupError> {
        Ok(self
            .compaction_finished()?
            .max(self.revision_in_meta(layout::SCHEDULED_COMPACTION)?))
    }

    fn revision_in_meta(&self, name: &[u8]) -> Result<i64, OpenBackupError> {
        let Some(value) = self.value(layout::META, name)? else {
            return Ok(-1);
        };
        let (revision, _) = parse_revision_key(&value).ok_or_else(|| malformed(layout::META, name))?;
        Ok(revision.main)
    }

    /// The format's version; files of etcd before 3.6 do not say.
    pub fn storage_version(&self) -> Result<Option<String>, OpenBackupError> {
        let value = self.value(layout::META, layout::STORAGE_VERSION)?;
        Ok(value
            .and_then(|value| String::from_utf8(value.to_vec()).ok())
            .filter(|version| is_version(version)))
    }

    /// History in ascending order of revisions.
    pub fn records(
        &self,
    ) -> Result<impl Iterator<Item = Result<StoredRevision, OpenBackupError>> + '_, OpenBackupError> {
        Ok(self.entries(layout::KEY)?.map(|entry| {
            let (key, value) = entry?;
            parse_record(&key, value).ok_or_else(|| malformed(layout::KEY, &key))
        }))
    }

    pub fn leases(&self) -> Result<Vec<Lease>, OpenBackupError> {
        self.decoded(layout::LEASE, |_, value| {
            let LeaseRecord {
                id,
                ttl_s,
                remaining_ttl_s,
            } = LeaseRecord::decode(value).ok()?;
            Some(Lease {
                id,
                ttl_s,
                remaining_ttl_s,
            })
        })
    }

    pub fn alarms(&self) -> Result<Vec<AlarmMember>, OpenBackupError> {
        self.decoded(layout::ALARM, |key, _| AlarmMember::decode(key).ok())
    }

    pub fn auth(&self) -> Result<AuthRecords, OpenBackupError> {
        let revision = self.value(layout::AUTH, layout::AUTH_REVISION)?;
        Ok(AuthRecords {
            enabled: self
                .value(layout::AUTH, layout::AUTH_ENABLED)?
                .is_some_and(|value| *value == [1]),
            revision: revision.as_ref().and_then(layout::parse_u64).unwrap_or(0),
            users: self.decoded(layout::AUTH_USERS, |_, value| Message::decode(value).ok())?,
            roles: self.decoded(layout::AUTH_ROLES, |_, value| Message::decode(value).ok())?,
        })
    }

    /// A bucket that some version of etcd does not make counts as empty; only that of the keys must be there.
    fn entries(&self, name: &[u8]) -> Result<Entries<'_>, OpenBackupError> {
        let bucket = self
            .buckets
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, bucket)| bucket);
        let missing = || OpenBackupError::NoBucket(String::from_utf8_lossy(name).into_owned());
        Ok(self.reader.entries(bucket.ok_or_else(missing)?)?)
    }

    fn decoded<T>(&self, name: &[u8], decode: impl Fn(Bytes, Bytes) -> Option<T>) -> Result<Vec<T>, OpenBackupError> {
        if !self.buckets.iter().any(|(found, _)| found == name) {
            return Ok(Vec::new());
        }
        let decoded = self.entries(name)?.map(|entry| {
            let (key, value) = entry?;
            decode(key.clone(), value).ok_or_else(|| malformed(name, &key))
        });
        decoded.collect()
    }

    fn value(&self, bucket: &[u8], key: &[u8]) -> Result<Option<Bytes>, OpenBackupError> {
        let found = self.decoded(bucket, |found, value| Some((found, value)))?;
        Ok(found
            .into_iter()
            .find(|(found, _)| found == key)
            .map(|(_, value)| value))
    }
}

fn malformed(bucket: &[u8], key: &[u8]) -> OpenBackupError {
    OpenBackupError::Malformed {
        bucket: String::from_utf8_lossy(bucket).into_owned(),
        key: key.to_vec(),
    }
}

fn parse_record(key: &[u8], value: Bytes) -> Option<StoredRevision> {
    let (revision, tombstone) = parse_revision_key(key)?;
    Some(StoredRevision {
        revision,
        tombstone,
        kv: KeyValue::decode(value).ok()?,
    })
}

fn is_version(text: &str) -> bool {
    let parts: Vec<_> = text.split('.').collect();
    parts.len() == 3
        && parts
            .iter()
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}
