//! How many keys live between this chunk's first key and the next chunk's: key `c` first key, value 4.

use super::{Fields, tag};
use crate::StoreFailure;

pub(crate) const PREFIX: [u8; 1] = [tag::CHUNK];

pub(crate) fn key(first: &[u8]) -> Vec<u8> {
    [&PREFIX, first].concat()
}

pub(crate) fn parse_key(bytes: &[u8]) -> Result<&[u8], StoreFailure> {
    let mut fields = Fields::new("chunk key", bytes);
    fields.tag(tag::CHUNK)?;
    Ok(fields.rest())
}

pub(crate) fn value(keys: u32) -> [u8; 4] {
    keys.to_be_bytes()
}

pub(crate) fn parse_value(bytes: &[u8]) -> Result<u32, StoreFailure> {
    let mut fields = Fields::new("chunk", bytes);
    let keys = fields.u32()?;
    fields.end()?;
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn comes_back(first: Vec<u8>, keys: u32) {
            let row = key(&first);
            prop_assert_eq!(parse_key(&row).unwrap(), first);
            prop_assert_eq!(parse_value(&value(keys)).unwrap(), keys);
        }
    }

    #[test]
    fn a_wrong_length_or_tag_is_damage() {
        assert!(parse_key(b"").is_err());
        assert!(parse_key(b"l").is_err());
        assert!(parse_value(&[0; 3]).is_err());
        assert!(parse_value(&[0; 5]).is_err());
    }
}
