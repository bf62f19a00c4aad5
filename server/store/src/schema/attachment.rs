//! A key that goes when its lease goes: key `k` lease id 8, user key; no value. Only leased keys have a row.

use super::{Fields, tag};
use crate::StoreFailure;

pub(crate) fn prefix(lease: i64) -> [u8; 9] {
    let mut prefix = [tag::ATTACHMENT; 9];
    prefix[1..].copy_from_slice(&lease.to_be_bytes());
    prefix
}

pub(crate) fn key(lease: i64, user_key: &[u8]) -> Vec<u8> {
    [&prefix(lease)[..], user_key].concat()
}

/// The lease and the user key.
pub(crate) fn parse_key(bytes: &[u8]) -> Result<(i64, &[u8]), StoreFailure> {
    let mut fields = Fields::new("attachment key", bytes);
    fields.tag(tag::ATTACHMENT)?;
    Ok((fields.i64()?, fields.rest()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn comes_back(lease: i64, user_key: Vec<u8>) {
            let row = key(lease, &user_key);
            prop_assert_eq!(parse_key(&row).unwrap(), (lease, &user_key[..]));
        }
    }

    #[test]
    fn a_wrong_length_is_damage() {
        assert!(parse_key(&prefix(1)[..8]).is_err());
    }
}
