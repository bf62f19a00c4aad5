//! An active alarm: key `a` member id 8, alarm type 4; no value.

use taffrail_proto::etcdserverpb::AlarmMember;

use super::{Fields, tag};
use crate::StoreFailure;

pub(crate) const PREFIX: [u8; 1] = [tag::ALARM];

pub(crate) fn key(alarm: &AlarmMember) -> Vec<u8> {
    [&PREFIX[..], &alarm.member_id.to_be_bytes(), &alarm.alarm.to_be_bytes()].concat()
}

pub(crate) fn parse_key(bytes: &[u8]) -> Result<AlarmMember, StoreFailure> {
    let mut fields = Fields::new("alarm key", bytes);
    fields.tag(tag::ALARM)?;
    let alarm = AlarmMember {
        member_id: fields.u64()?,
        alarm: fields.i32()?,
    };
    fields.end()?;
    Ok(alarm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn comes_back(member_id: u64, alarm: i32) {
            let alarm = AlarmMember { member_id, alarm };
            prop_assert_eq!(parse_key(&key(&alarm)).unwrap(), alarm);
        }
    }

    #[test]
    fn a_wrong_length_is_damage() {
        let key = key(&AlarmMember { member_id: 1, alarm: 1 });
        assert!(parse_key(&key[..12]).is_err());
        assert!(parse_key(&[&key[..], &[0]].concat()).is_err());
    }
}
