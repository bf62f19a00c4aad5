//! How far this member's cleaning got, in logical bytes: key `x`, value 8. Not replicated.

use super::{Fields, tag};
use crate::StoreFailure;

pub(crate) const KEY: [u8; 1] = [tag::CLEANED];

pub(crate) fn value(bytes: u64) -> [u8; 8] {
    bytes.to_be_bytes()
}

pub(crate) fn parse(value: &[u8]) -> Result<u64, StoreFailure> {
    let mut fields = Fields::new("cleaned", value);
    let bytes = fields.u64()?;
    fields.end()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn comes_back(bytes: u64) {
            prop_assert_eq!(parse(&value(bytes)).unwrap(), bytes);
        }
    }

    #[test]
    fn a_wrong_length_is_damage() {
        assert!(parse(&[0; 7]).is_err());
        assert!(parse(&[0; 9]).is_err());
    }
}
