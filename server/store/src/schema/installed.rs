//! Where in the log a state stood when it came whole from another member: key `i`, value term 8, index 8. Not
//! replicated.

use super::{Fields, tag};
use crate::{Position, StoreFailure};

pub(crate) const KEY: [u8; 1] = [tag::INSTALLED];

pub(crate) fn value(position: Position) -> [u8; 16] {
    let mut value = [0; 16];
    value[..8].copy_from_slice(&position.term.to_be_bytes());
    value[8..].copy_from_slice(&position.index.to_be_bytes());
    value
}

pub(crate) fn parse(value: &[u8]) -> Result<Position, StoreFailure> {
    let mut fields = Fields::new("installed", value);
    let position = Position {
        term: fields.u64()?,
        index: fields.u64()?,
    };
    fields.end()?;
    Ok(position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn comes_back(term: u64, index: u64) {
            let position = Position { term, index };
            prop_assert_eq!(parse(&value(position)).unwrap(), position);
        }
    }

    #[test]
    fn a_wrong_length_is_damage() {
        assert!(parse(&[0; 15]).is_err());
        assert!(parse(&[0; 17]).is_err());
    }
}
