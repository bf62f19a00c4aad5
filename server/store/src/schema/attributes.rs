//! What members and the cluster say about themselves: key `n` member id 8 with `membershippb.Attributes`, key `v`
//! with the cluster version as text, key `d` with `membershippb.DowngradeInfoSetRequest`.

use bytes::Bytes;
use prost::Message;
use taffrail_proto::membershippb::{Attributes, DowngradeInfoSetRequest};

use super::{Fields, damaged, tag};
use crate::StoreFailure;

pub(crate) const PREFIX: [u8; 1] = [tag::ATTRIBUTES];
pub(crate) const VERSION_KEY: [u8; 1] = [tag::VERSION];
pub(crate) const DOWNGRADE_KEY: [u8; 1] = [tag::DOWNGRADE];

pub(crate) fn key(member: u64) -> [u8; 9] {
    let mut key = [tag::ATTRIBUTES; 9];
    key[1..].copy_from_slice(&member.to_be_bytes());
    key
}

pub(crate) fn parse(key: &[u8], value: Bytes) -> Result<(u64, Attributes), StoreFailure> {
    let mut fields = Fields::new("attributes key", key);
    fields.tag(tag::ATTRIBUTES)?;
    let member = fields.u64()?;
    fields.end()?;
    let attributes = Attributes::decode(value).map_err(|why| damaged("attributes", &why.to_string()))?;
    Ok((member, attributes))
}

pub(crate) fn parse_version(value: Bytes) -> Result<String, StoreFailure> {
    String::from_utf8(value.into()).map_err(|why| damaged("cluster version", &why.to_string()))
}

pub(crate) fn parse_downgrade(value: Bytes) -> Result<DowngradeInfoSetRequest, StoreFailure> {
    DowngradeInfoSetRequest::decode(value).map_err(|why| damaged("downgrade info", &why.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn comes_back(member: u64, name: String, client_urls: Vec<String>, incarnation: u64, enabled: bool) {
            let attributes = Attributes { name: name.clone(), client_urls, incarnation };
            let value = attributes.encode_to_vec();
            prop_assert_eq!(parse(&key(member), value.into()).unwrap(), (member, attributes));
            prop_assert_eq!(parse_version(name.clone().into()).unwrap(), name.clone());
            let downgrade = DowngradeInfoSetRequest { enabled, ver: name };
            prop_assert_eq!(parse_downgrade(downgrade.encode_to_vec().into()).unwrap(), downgrade);
        }
    }

    #[test]
    fn a_wrong_length_or_text_is_damage() {
        assert!(parse(&key(1)[..8], Bytes::new()).is_err());
        assert!(parse(&key(1), Bytes::from_static(&[10, 200])).is_err());
        assert!(parse_version(Bytes::from_static(&[0xFF])).is_err());
        assert!(parse_downgrade(Bytes::from_static(&[18, 9])).is_err());
    }
}
