//! The consensus layer's last membership: key `m`, value term 8, index 8, then its bytes, never looked into.

use bytes::Bytes;

use super::{Fields, tag};
use crate::{Position, StoreFailure};

pub(crate) const KEY: [u8; 1] = [tag::MEMBERSHIP];

pub(crate) fn value(position: Position, blob: &[u8]) -> Vec<u8> {
    [&position.term.to_be_bytes()[..], &position.index.to_be_bytes(), blob].concat()
}

pub(crate) fn parse(value: &Bytes) -> Result<(Position, Bytes), StoreFailure> {
    let mut fields = Fields::new("membership", value);
    let position = Position {
        term: fields.u64()?,
        index: fields.u64()?,
    };
    Ok((position, value.slice(16..)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn comes_back(term: u64, index: u64, blob: Vec<u8>) {
            let position = Position { term, index };
            prop_assert_eq!(parse(&value(position, &blob).into()).unwrap(), (position, blob.into()));
        }
    }

    #[test]
    fn a_wrong_length_is_damage() {
        assert!(parse(&Bytes::from_static(&[0; 15])).is_err());
    }
}
