//! A revision as the key of a `log` row and the tail of a `history` key: main 8, sub 4.

use super::Fields;
use crate::StoreFailure;
use crate::mvcc::Revision;

pub(crate) const BYTES: usize = 12;

pub(crate) fn key(revision: Revision) -> [u8; BYTES] {
    let mut key = [0; BYTES];
    key[..8].copy_from_slice(&revision.main.to_be_bytes());
    key[8..].copy_from_slice(&revision.sub.to_be_bytes());
    key
}

pub(crate) fn parse(bytes: &[u8]) -> Result<Revision, StoreFailure> {
    let mut fields = Fields::new("revision", bytes);
    let revision = Revision {
        main: fields.i64()?,
        sub: fields.u32()?,
    };
    fields.end()?;
    Ok(revision)
}

/// The first key of a main revision.
pub(crate) fn first_of(main: i64) -> [u8; BYTES] {
    key(Revision {
        main: main.max(0),
        sub: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn comes_back_and_keeps_order(a in (0i64.., any::<u32>()), b in (0i64.., any::<u32>())) {
            let (a, b) = (Revision { main: a.0, sub: a.1 }, Revision { main: b.0, sub: b.1 });
            prop_assert_eq!(parse(&key(a)).unwrap(), a);
            prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
        }
    }

    #[test]
    fn a_wrong_length_is_damage() {
        assert!(parse(&[0; 11]).is_err());
        assert!(parse(&[0; 13]).is_err());
    }
}
