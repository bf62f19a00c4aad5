//! A row of `log`: one change of one key, with the version it replaced.
//!
//! kind 1, bytes so far 8, value length 4, key length 4, key, then the replaced record to the end (nothing if the
//! key did not exist). The new value is not here: it stands in `current`, or in the row that replaced it.

use bytes::Bytes;

use super::record::Record;
use super::{Fields, damaged};
use crate::StoreFailure;

const PUT: u8 = 1;
const DELETE: u8 = 2;
const HEADER_BYTES: usize = 17;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Put,
    Delete,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) kind: Kind,
    /// Logical bytes of history that all rows up to and including this one stand for. The difference between two
    /// rows is what lies between them, so compaction needs no walk to know what it frees.
    pub(crate) bytes_so_far: u64,
    /// Length of the value this change wrote.
    pub(crate) value_bytes: u32,
    pub(crate) key: Bytes,
    pub(crate) replaced: Option<Record>,
}

/// What a new row is made of.
pub(crate) struct Parts<'a> {
    pub(crate) kind: Kind,
    pub(crate) bytes_so_far: u64,
    pub(crate) value_bytes: u32,
    pub(crate) key: &'a [u8],
    pub(crate) replaced: Option<&'a Record>,
}

impl Parts<'_> {
    pub(crate) fn value(&self) -> Vec<u8> {
        let replaced = self.replaced.map_or(&[][..], |record| record.raw());
        let mut value = Vec::with_capacity(HEADER_BYTES + self.key.len() + replaced.len());
        value.push(match self.kind {
            Kind::Put => PUT,
            Kind::Delete => DELETE,
        });
        value.extend_from_slice(&self.bytes_so_far.to_be_bytes());
        value.extend_from_slice(&self.value_bytes.to_be_bytes());
        value.extend_from_slice(&(self.key.len() as u32).to_be_bytes());
        value.extend_from_slice(self.key);
        value.extend_from_slice(replaced);
        value
    }
}

impl Row {
    pub(crate) fn parse(bytes: Bytes) -> Result<Self, StoreFailure> {
        let mut fields = Fields::new("log row", &bytes);
        let kind = match fields.u8()? {
            PUT => Kind::Put,
            DELETE => Kind::Delete,
            other => return Err(damaged("log row", &format!("unknown kind {other}"))),
        };
        let (bytes_so_far, value_bytes) = (fields.u64()?, fields.u32()?);
        let key_len = fields.u32()? as usize;
        fields.bytes(key_len)?;
        let replaced = match fields.rest() {
            [] => None,
            _ => Some(Record::parse(bytes.slice(HEADER_BYTES + key_len..))?),
        };
        Ok(Self {
            kind,
            bytes_so_far,
            value_bytes,
            key: bytes.slice(HEADER_BYTES..HEADER_BYTES + key_len),
            replaced,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mvcc::Revision;
    use crate::schema::record;
    use proptest::prelude::*;

    fn value(row: &Row) -> Vec<u8> {
        let parts = Parts {
            kind: row.kind,
            bytes_so_far: row.bytes_so_far,
            value_bytes: row.value_bytes,
            key: &row.key,
            replaced: row.replaced.as_ref(),
        };
        parts.value()
    }

    proptest! {
        #[test]
        fn comes_back(delete: bool, bytes_so_far: u64, value_bytes: u32, key: Vec<u8>, old: Option<Vec<u8>>) {
            let revision = Revision { main: 7, sub: 1 };
            let row = Row {
                kind: if delete { Kind::Delete } else { Kind::Put },
                bytes_so_far,
                value_bytes,
                key: key.into(),
                replaced: old.map(|value| Record::new(&record::Parts {
                    create_revision: 2, revision, version: 3, lease: 4, value: &value,
                })),
            };
            prop_assert_eq!(Row::parse(value(&row).into()).unwrap(), row);
        }
    }

    #[test]
    fn a_wrong_length_or_kind_is_damage() {
        assert!(Row::parse(Bytes::from_static(&[1; 16])).is_err());
        assert!(Row::parse(Bytes::from_static(&[9; 40])).is_err());
        let row = Row {
            kind: Kind::Put,
            bytes_so_far: 0,
            value_bytes: 0,
            key: Bytes::from("k"),
            replaced: None,
        };
        let mut value = value(&row);
        value.extend_from_slice(b"half a record");
        assert!(Row::parse(value.into()).is_err());
    }
}
