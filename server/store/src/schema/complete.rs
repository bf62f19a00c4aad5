//! The last change whose row of `history`, and those of all changes before it, are written: key `h`, value main 8,
//! sub 4. Rows of later changes follow from `log`. Not replicated.

use super::{revision, tag};
use crate::StoreFailure;
use crate::mvcc::Revision;

pub(crate) const KEY: [u8; 1] = [tag::COMPLETE];

pub(crate) fn value(upto: Revision) -> [u8; revision::BYTES] {
    revision::key(upto)
}

pub(crate) fn parse(value: &[u8]) -> Result<Revision, StoreFailure> {
    revision::parse(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn comes_back(main in 0i64.., sub: u32) {
            let upto = Revision { main, sub };
            prop_assert_eq!(parse(&value(upto)).unwrap(), upto);
        }
    }

    #[test]
    fn a_wrong_length_is_damage() {
        assert!(parse(&[0; 11]).is_err());
    }
}
