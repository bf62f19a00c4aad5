//! The one row that every batch writes: how far the log has been applied and what that made.
//!
//! term 8, index 8, revision 8, compaction floor 8, then byte counters: current 8, log 8, floor 8.

use super::{Fields, tag};
use crate::{Position, StoreFailure};

pub(crate) const KEY: [u8; 1] = [tag::STATE];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StateRow {
    pub(crate) position: Position,
    pub(crate) revision: i64,
    pub(crate) floor: i64,
    pub(crate) current_bytes: u64,
    pub(crate) log_bytes: u64,
    pub(crate) floor_bytes: u64,
}

impl StateRow {
    pub(crate) fn value(&self) -> Vec<u8> {
        let Self {
            position,
            revision,
            floor,
            current_bytes,
            log_bytes,
            floor_bytes,
        } = *self;
        [
            position.term.to_be_bytes(),
            position.index.to_be_bytes(),
            revision.to_be_bytes(),
            floor.to_be_bytes(),
            current_bytes.to_be_bytes(),
            log_bytes.to_be_bytes(),
            floor_bytes.to_be_bytes(),
        ]
        .concat()
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, StoreFailure> {
        let mut fields = Fields::new("state", bytes);
        let row = Self {
            position: Position {
                term: fields.u64()?,
                index: fields.u64()?,
            },
            revision: fields.i64()?,
            floor: fields.i64()?,
            current_bytes: fields.u64()?,
            log_bytes: fields.u64()?,
            floor_bytes: fields.u64()?,
        };
        fields.end()?;
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn comes_back(n: [u64; 5], revision: i64, floor: i64) {
            let [term, index, current_bytes, log_bytes, floor_bytes] = n;
            let position = Position { term, index };
            let row = StateRow { position, revision, floor, current_bytes, log_bytes, floor_bytes };
            prop_assert_eq!(StateRow::parse(&row.value()).unwrap(), row);
        }
    }

    #[test]
    fn a_wrong_length_is_damage() {
        assert!(StateRow::parse(&[0; 55]).is_err());
        assert!(StateRow::parse(&[0; 57]).is_err());
    }
}
