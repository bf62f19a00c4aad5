//! A granted lease: key `l` id 8, value granted ttl 8, remaining ttl 8, both in seconds.

use super::{Fields, tag};
use crate::{Lease, StoreFailure};

pub(crate) const PREFIX: [u8; 1] = [tag::LEASE];

pub(crate) fn key(id: i64) -> [u8; 9] {
    let mut key = [tag::LEASE; 9];
    key[1..].copy_from_slice(&id.to_be_bytes());
    key
}

pub(crate) fn value(lease: &Lease) -> [u8; 16] {
    let mut value = [0; 16];
    value[..8].copy_from_slice(&lease.ttl_s.to_be_bytes());
    value[8..].copy_from_slice(&lease.remaining_ttl_s.to_be_bytes());
    value
}

pub(crate) fn parse(key: &[u8], value: &[u8]) -> Result<Lease, StoreFailure> {
    let mut fields = Fields::new("lease key", key);
    fields.tag(tag::LEASE)?;
    let id = fields.i64()?;
    fields.end()?;
    let mut fields = Fields::new("lease", value);
    let lease = Lease {
        id,
        ttl_s: fields.i64()?,
        remaining_ttl_s: fields.i64()?,
    };
    fields.end()?;
    Ok(lease)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn comes_back(id: i64, ttl_s: i64, remaining_ttl_s: i64) {
            let lease = Lease { id, ttl_s, remaining_ttl_s };
            prop_assert_eq!(parse(&key(id), &value(&lease)).unwrap(), lease);
        }
    }

    #[test]
    fn a_wrong_length_is_damage() {
        assert!(parse(&key(1)[..8], &[0; 16]).is_err());
        assert!(parse(&key(1), &[0; 15]).is_err());
        assert!(parse(&key(1), &[0; 17]).is_err());
    }
}
