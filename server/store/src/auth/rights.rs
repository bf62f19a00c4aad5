//! What a user's roles allow, taken together.

use std::collections::BTreeMap;

use bytes::Bytes;
use taffrail_proto::authpb::permission::Type;
use taffrail_proto::authpb::{Permission, Role, User};

use super::ROOT;
use super::keys::Keys;

pub(crate) struct Rights {
    /// The user holds the role `root`, whatever that role says.
    pub(super) is_root: bool,
    pub(super) read: Keys,
    pub(super) write: Keys,
}

impl Rights {
    /// A role without a record allows nothing.
    pub(super) fn of(user: &User, roles: &BTreeMap<Bytes, Role>) -> Self {
        let held = || user.roles.iter().filter_map(|name| roles.get(name.as_bytes()));
        let allowed = |wanted| {
            Keys::new(
                held()
                    .flat_map(|role| &role.key_permission)
                    .filter(move |it| allows(it, wanted)),
            )
        };
        Self {
            is_root: user.roles.iter().any(|name| name == ROOT),
            read: allowed(Type::Read),
            write: allowed(Type::Write),
        }
    }
}

fn allows(permission: &Permission, wanted: Type) -> bool {
    [wanted as i32, Type::Readwrite as i32].contains(&permission.perm_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(name: &'static str, permissions: &[(i32, &'static str)]) -> (Bytes, Role) {
        let key_permission = permissions.iter().map(|(perm_type, key)| Permission {
            perm_type: *perm_type,
            key: Bytes::from(*key),
            range_end: Bytes::new(),
        });
        let role = Role {
            name: name.into(),
            key_permission: key_permission.collect(),
        };
        (role.name.clone(), role)
    }

    fn user(roles: &[&str]) -> User {
        User {
            roles: roles.iter().map(|&role| role.to_owned()).collect(),
            ..User::default()
        }
    }

    #[test]
    fn both_reads_and_writes_and_an_unknown_kind_does_neither() {
        let roles = [role("one", &[(0, "r"), (1, "w"), (3, "n")]), role("two", &[(2, "b")])].into();
        let rights = Rights::of(&user(&["one", "two", "gone"]), &roles);
        for (key, read, write) in [
            ("r", true, false),
            ("w", false, true),
            ("b", true, true),
            ("n", false, false),
        ] {
            assert_eq!(rights.read.contain(key.as_bytes(), b""), read, "read {key}");
            assert_eq!(rights.write.contain(key.as_bytes(), b""), write, "write {key}");
        }
        assert!(!rights.is_root);
    }

    #[test]
    fn root_is_held_even_without_its_record() {
        assert!(Rights::of(&user(&["a", "root"]), &BTreeMap::new()).is_root);
    }
}
