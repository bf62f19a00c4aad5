//! Users and roles: key `u` name with `authpb.User`, key `r` name with `authpb.Role`, key `e` with enabled 1, auth
//! revision 8. A store whose users and roles were never touched has no such row.

use bytes::Bytes;
use prost::Message;
use taffrail_proto::authpb::{Role, User};

use super::{Fields, damaged, tag};
use crate::StoreFailure;

pub(crate) const STATE_KEY: [u8; 1] = [tag::AUTH];
pub(crate) const USERS: [u8; 1] = [tag::USER];
pub(crate) const ROLES: [u8; 1] = [tag::ROLE];

pub(crate) fn user_key(name: &[u8]) -> Vec<u8> {
    [&USERS, name].concat()
}

pub(crate) fn role_key(name: &[u8]) -> Vec<u8> {
    [&ROLES, name].concat()
}

pub(crate) fn state(enabled: bool, revision: u64) -> [u8; 9] {
    let mut value = [u8::from(enabled); 9];
    value[1..].copy_from_slice(&revision.to_be_bytes());
    value
}

/// Whether access control is on, and the auth revision.
pub(crate) fn parse_state(value: &[u8]) -> Result<(bool, u64), StoreFailure> {
    let mut fields = Fields::new("auth state", value);
    let enabled = match fields.u8()? {
        0 => false,
        1 => true,
        other => return Err(damaged("auth state", &format!("{other} is neither on nor off"))),
    };
    let revision = fields.u64()?;
    fields.end()?;
    Ok((enabled, revision))
}

pub(crate) fn parse_user(key: &[u8], value: Bytes) -> Result<User, StoreFailure> {
    let user = User::decode(value).map_err(|why| damaged("user", &why.to_string()))?;
    named("user", tag::USER, key, &user.name)?;
    Ok(user)
}

pub(crate) fn parse_role(key: &[u8], value: Bytes) -> Result<Role, StoreFailure> {
    let role = Role::decode(value).map_err(|why| damaged("role", &why.to_string()))?;
    named("role", tag::ROLE, key, &role.name)?;
    Ok(role)
}

/// The record of one must not speak for another.
fn named(what: &'static str, tag: u8, key: &[u8], name: &[u8]) -> Result<(), StoreFailure> {
    let mut fields = Fields::new(what, key);
    fields.tag(tag)?;
    if fields.rest() == name {
        Ok(())
    } else {
        Err(damaged(what, "its name is not that of its key"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use taffrail_proto::authpb::{Permission, UserAddOptions};

    proptest! {
        #[test]
        fn comes_back(name: Vec<u8>, roles: Vec<String>, key: Vec<u8>, no_password: bool, revision: u64) {
            let user = User {
                name: name.clone().into(),
                password: key.clone().into(),
                roles,
                options: Some(UserAddOptions { no_password }),
            };
            prop_assert_eq!(parse_user(&user_key(&name), user.encode_to_vec().into()).unwrap(), user);
            let permission = Permission { perm_type: 2, key: key.into(), range_end: name.clone().into() };
            let role = Role { name: name.clone().into(), key_permission: vec![permission] };
            prop_assert_eq!(parse_role(&role_key(&name), role.encode_to_vec().into()).unwrap(), role);
            prop_assert_eq!(parse_state(&state(no_password, revision)).unwrap(), (no_password, revision));
        }
    }

    #[test]
    fn a_wrong_length_or_name_is_damage() {
        assert!(parse_state(&state(true, 7)[..8]).is_err());
        assert!(parse_state(&[&state(true, 7)[..], &[0]].concat()).is_err());
        assert!(parse_state(&[2; 9]).is_err());
        let user = User {
            name: "a".into(),
            ..User::default()
        };
        assert!(parse_user(&user_key(b"b"), user.encode_to_vec().into()).is_err());
        assert!(parse_user(&role_key(b"a"), user.encode_to_vec().into()).is_err());
        assert!(parse_user(&user_key(b"a"), Bytes::from_static(&[10, 9])).is_err());
        assert!(parse_role(&role_key(b"a"), Bytes::new()).is_err());
    }
}
