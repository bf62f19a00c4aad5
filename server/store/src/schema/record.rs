//! The value of a `current` row, and of the replaced version inside a `log` row.
//!
//! create 8, mod main 8, mod sub 4, version 8, lease 8, then the user's value to the end.

use bytes::Bytes;
use taffrail_proto::mvccpb::KeyValue;

use super::damaged;
use crate::StoreFailure;
use crate::mvcc::Revision;

const HEADER_BYTES: usize = 36;

/// One version of a key, kept as it is stored: cloning costs no copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    raw: Bytes,
}

/// What a new record is made of.
pub(crate) struct Parts<'a> {
    pub(crate) create_revision: i64,
    pub(crate) revision: Revision,
    pub(crate) version: i64,
    pub(crate) lease: i64,
    pub(crate) value: &'a [u8],
}

impl Record {
    pub(crate) fn new(parts: &Parts<'_>) -> Self {
        let mut raw = Vec::with_capacity(HEADER_BYTES + parts.value.len());
        raw.extend_from_slice(&parts.create_revision.to_be_bytes());
        raw.extend_from_slice(&parts.revision.main.to_be_bytes());
        raw.extend_from_slice(&parts.revision.sub.to_be_bytes());
        raw.extend_from_slice(&parts.version.to_be_bytes());
        raw.extend_from_slice(&parts.lease.to_be_bytes());
        raw.extend_from_slice(parts.value);
        Self { raw: raw.into() }
    }

    pub(crate) fn parse(raw: Bytes) -> Result<Self, StoreFailure> {
        if raw.len() < HEADER_BYTES {
            return Err(damaged("record", "too short"));
        }
        Ok(Self { raw })
    }

    pub(crate) fn raw(&self) -> &Bytes {
        &self.raw
    }

    pub(crate) fn create_revision(&self) -> i64 {
        self.int(0)
    }

    pub(crate) fn mod_revision(&self) -> i64 {
        self.int(8)
    }

    pub(crate) fn revision(&self) -> Revision {
        let mut sub = [0; 4];
        sub.copy_from_slice(&self.raw[16..20]);
        Revision {
            main: self.mod_revision(),
            sub: u32::from_be_bytes(sub),
        }
    }

    pub(crate) fn version(&self) -> i64 {
        self.int(20)
    }

    pub(crate) fn lease(&self) -> i64 {
        self.int(28)
    }

    pub(crate) fn value(&self) -> Bytes {
        self.raw.slice(HEADER_BYTES..)
    }

    pub(crate) fn value_len(&self) -> usize {
        self.raw.len() - HEADER_BYTES
    }

    pub(crate) fn key_value(&self, key: Bytes) -> KeyValue {
        KeyValue {
            key,
            create_revision: self.create_revision(),
            mod_revision: self.mod_revision(),
            version: self.version(),
            value: self.value(),
            lease: self.lease(),
        }
    }

    fn int(&self, at: usize) -> i64 {
        let mut int = [0; 8];
        int.copy_from_slice(&self.raw[at..at + 8]);
        i64::from_be_bytes(int)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn comes_back(create: i64, main: i64, sub: u32, version: i64, lease: i64, value: Vec<u8>) {
            let revision = Revision { main, sub };
            let record = Record::new(&Parts { create_revision: create, revision, version, lease, value: &value });
            let back = Record::parse(record.raw().clone()).unwrap();
            prop_assert_eq!(back.revision(), revision);
            prop_assert_eq!(back.value_len(), value.len());
            let kv = back.key_value(Bytes::new());
            prop_assert_eq!((kv.create_revision, kv.version, kv.lease), (create, version, lease));
            prop_assert_eq!(kv.value, value);
        }
    }

    #[test]
    fn a_wrong_length_is_damage() {
        assert!(Record::parse(Bytes::from_static(&[0; 35])).is_err());
    }
}
