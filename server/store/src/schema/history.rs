//! A row of `history`: where the old version of a key is to be found.
//!
//! Key: the user key escaped (00 becomes 00 FF, the end is 00 01) so that keys keep their order and none is a
//! prefix of another, then the revision that superseded the version. Value: the version's own mod revision, 8.

use super::{Fields, damaged, revision};
use crate::StoreFailure;
use crate::mvcc::Revision;

const ESCAPED_ZERO: [u8; 2] = [0x00, 0xFF];
const END: [u8; 2] = [0x00, 0x01];

/// The part of the row's key that all rows of one user key share.
pub(crate) fn prefix(key: &[u8]) -> Vec<u8> {
    let mut prefix = Vec::with_capacity(key.len() + END.len() + revision::BYTES);
    if key.contains(&0) {
        key.iter().for_each(|byte| match byte {
            0 => prefix.extend_from_slice(&ESCAPED_ZERO),
            byte => prefix.push(*byte),
        });
    } else {
        prefix.extend_from_slice(key);
    }
    prefix.extend_from_slice(&END);
    prefix
}

pub(crate) fn key(user_key: &[u8], superseding: Revision) -> Vec<u8> {
    with_revision(prefix(user_key), superseding)
}

pub(crate) fn with_revision(mut prefix: Vec<u8>, superseding: Revision) -> Vec<u8> {
    prefix.extend_from_slice(&revision::key(superseding));
    prefix
}

/// The prefix and the superseding revision.
pub(crate) fn split_key(key: &[u8]) -> Result<(&[u8], Revision), StoreFailure> {
    let at = key
        .len()
        .checked_sub(revision::BYTES)
        .ok_or_else(|| damaged("history key", "too short"))?;
    let (prefix, superseding) = key.split_at(at);
    Ok((prefix, revision::parse(superseding)?))
}

pub(crate) fn user_key(prefix: &[u8]) -> Result<Vec<u8>, StoreFailure> {
    let mut escaped = prefix
        .strip_suffix(&END)
        .ok_or_else(|| damaged("history key", "no end mark"))?;
    let mut key = Vec::with_capacity(escaped.len());
    while let [byte, rest @ ..] = escaped {
        key.push(*byte);
        escaped = match (byte, rest) {
            (0, [0xFF, rest @ ..]) => rest,
            (0, _) => return Err(damaged("history key", "lone zero")),
            _ => rest,
        };
    }
    Ok(key)
}

pub(crate) fn value(mod_revision: i64) -> [u8; 8] {
    mod_revision.to_be_bytes()
}

pub(crate) fn parse_value(bytes: &[u8]) -> Result<i64, StoreFailure> {
    let mut fields = Fields::new("history value", bytes);
    let mod_revision = fields.i64()?;
    fields.end()?;
    Ok(mod_revision)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Keys full of the bytes that escaping is about.
    fn tricky() -> impl Strategy<Value = Vec<u8>> {
        vec(
            prop_oneof![Just(0u8), Just(1), Just(0xFE), Just(0xFF), any::<u8>()],
            0..6,
        )
    }

    proptest! {
        #[test]
        fn comes_back_and_keeps_order(a in tricky(), b in tricky(), main in 0i64.., sub: u32) {
            let superseding = Revision { main, sub };
            let row = key(&a, superseding);
            let (prefix, found) = split_key(&row).unwrap();
            prop_assert_eq!(user_key(prefix).unwrap(), a.clone());
            prop_assert_eq!(found, superseding);
            prop_assert_eq!(super::prefix(&a).cmp(&super::prefix(&b)), a.cmp(&b));
            prop_assert_eq!(parse_value(&value(main)).unwrap(), main);
        }
    }

    #[test]
    fn a_wrong_length_is_damage() {
        assert!(split_key(&[0; 11]).is_err());
        assert!(user_key(b"no end").is_err());
        assert!(user_key(&[0, 7, 0, 1]).is_err());
        assert!(parse_value(&[0; 7]).is_err());
        assert!(parse_value(&[0; 9]).is_err());
    }
}
