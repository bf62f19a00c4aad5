//! What has to change in etcd for a role to be as its EtcdRole says.

use std::collections::{BTreeMap, BTreeSet};

use taffrail_crds::{EtcdRole, RolePermission, RolePermissionType};

use super::content::{Content, Plan};
use super::declared::Declared;
use super::place::Place;
use crate::cluster::Error;
use crate::context::Context;
use crate::etcd::{AccessChange, Permission, PermissionKind};
use crate::problem::Problem;

/// To etcd the first of all keys, and as an end of a range none.
const ZERO: &[u8] = &[0];

/// Key and end of a range, as etcd has them.
type Range = (Vec<u8>, Vec<u8>);

impl Content for EtcdRole {
    type Found = Option<BTreeSet<Permission>>;

    async fn is_there(context: &Context, place: &Place, name: &str) -> Result<bool, Error> {
        Ok(context.etcd.role(&place.access, &place.through, name).await?.is_some())
    }

    async fn read(context: &Context, place: &Place, role: &Self) -> Result<Self::Found, Error> {
        let name = role.name_in_etcd();
        Ok(context.etcd.role(&place.access, &place.through, &name).await?)
    }

    fn plan(role: &Self, found: &Self::Found, _: bool) -> Plan {
        match wanted(&role.spec.permissions) {
            Ok(wanted) => Plan {
                changes: changes(&role.name_in_etcd(), &wanted, found.as_ref()),
                made: true,
                ..Plan::default()
            },
            Err(problem) => Plan {
                problem: Some(problem),
                ..Plan::default()
            },
        }
    }
}

fn changes(
    name: &str,
    wanted: &BTreeMap<Range, PermissionKind>,
    found: Option<&BTreeSet<Permission>>,
) -> Vec<AccessChange> {
    let role = name.to_owned();
    let make = found.is_none().then(|| AccessChange::AddRole { name: role.clone() });
    let has = found.into_iter().flatten();
    let has: BTreeMap<Range, PermissionKind> = has
        .map(|one| ((one.key.clone(), one.range_end.clone()), one.kind))
        .collect();
    let surplus = has.keys().filter(|range| !wanted.contains_key(*range));
    let revoke = surplus.map(|(key, range_end)| AccessChange::Revoke {
        role: role.clone(),
        key: key.clone(),
        range_end: range_end.clone(),
    });
    let lacking = wanted.iter().filter(|(range, kind)| has.get(*range) != Some(*kind));
    // etcd has one permission per range: another kind takes the place of the one before.
    let grant = lacking.map(|((key, range_end), kind)| AccessChange::Grant {
        role: role.clone(),
        permission: Permission {
            key: key.clone(),
            range_end: range_end.clone(),
            kind: *kind,
        },
    });
    make.into_iter().chain(revoke).chain(grant).collect()
}

fn wanted(permissions: &[RolePermission]) -> Result<BTreeMap<Range, PermissionKind>, Problem> {
    let mut all = BTreeMap::new();
    for permission in permissions {
        let range = range(permission);
        let (key, end) = &range;
        if !end.is_empty() && end != ZERO && end <= key {
            let message = format!(
                "rangeEnd of the permission on {} does not come after key",
                key.escape_ascii()
            );
            return Err(Problem::new("PermissionInvalid", message));
        }
        let message = format!("two permissions are for the same keys from {} on", key.escape_ascii());
        if all.insert(range, kind(permission.r#type)).is_some() {
            return Err(Problem::new("PermissionTwice", message));
        }
    }
    Ok(all)
}

fn kind(declared: RolePermissionType) -> PermissionKind {
    match declared {
        RolePermissionType::Read => PermissionKind::Read,
        RolePermissionType::Write => PermissionKind::Write,
        RolePermissionType::ReadWrite => PermissionKind::ReadWrite,
    }
}

/// As etcdctl makes it with `--prefix`.
fn range(permission: &RolePermission) -> Range {
    let key = permission.key.as_bytes().to_vec();
    match (&permission.range_end, permission.prefix) {
        (_, true) if key.is_empty() => (ZERO.into(), ZERO.into()),
        (_, true) => (key.clone(), after_prefix(&key)),
        (Some(end), false) => (key, end.as_bytes().to_vec()),
        (None, false) => (key, Vec::new()),
    }
}

/// The first key after all that begin with `prefix`.
fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    ZERO.into()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn ranges(permissions: Value) -> Result<BTreeMap<Range, PermissionKind>, &'static str> {
        let permissions: Vec<RolePermission> = serde_json::from_value(permissions).unwrap();
        wanted(&permissions).map_err(|problem| problem.reason)
    }

    fn words(wanted: &BTreeMap<Range, PermissionKind>, found: Option<&BTreeSet<Permission>>) -> Vec<String> {
        changes("app", wanted, found).iter().map(AccessChange::words).collect()
    }

    #[test]
    fn ranges_are_those_of_etcdctl() {
        let table = [
            (json!({"type": "Read", "key": "a"}), "a", &b""[..]),
            (json!({"type": "Read", "key": "a", "rangeEnd": "c"}), "a", b"c"),
            (
                json!({"type": "Read", "key": "/app/", "prefix": true}),
                "/app/",
                b"/app0",
            ),
            (json!({"type": "Read", "key": "", "prefix": true}), "\0", b"\0"),
            (json!({"type": "Read", "key": "a", "rangeEnd": "\0"}), "a", b"\0"),
        ];
        for (permission, key, end) in table {
            let all = ranges(json!([permission])).unwrap();
            let range = (key.as_bytes().to_vec(), end.to_vec());
            assert!(all.contains_key(&range), "{all:?}");
        }
        assert_eq!(after_prefix(&[b'a', 0xff]), b"b");
        assert_eq!(after_prefix(&[0xff, 0xff]), ZERO);
    }

    #[test]
    fn ranges_that_are_none_or_said_twice_are_told() {
        let backwards = json!([{"type": "Read", "key": "b", "rangeEnd": "a"}]);
        assert_eq!(ranges(backwards), Err("PermissionInvalid"));
        let twice = json!([{"type": "Read", "key": "a"}, {"type": "Write", "key": "a"}]);
        assert_eq!(ranges(twice), Err("PermissionTwice"));
        let same =
            json!([{"type": "Read", "key": "", "prefix": true}, {"type": "Write", "key": "\0", "rangeEnd": "\0"}]);
        assert_eq!(ranges(same), Err("PermissionTwice"));
    }

    #[test]
    fn what_is_too_much_goes_before_what_is_lacking_comes() {
        let wanted = ranges(json!([{"type": "Read", "key": "a"}, {"type": "Write", "key": "b"}])).unwrap();
        let all = ["role app is made", "role app has Read on a", "role app has Write on b"];
        assert_eq!(words(&wanted, None), all);
        let permission = |key: &str, kind| Permission {
            key: key.into(),
            range_end: Vec::new(),
            kind,
        };
        let found = [
            permission("b", PermissionKind::ReadWrite),
            permission("c", PermissionKind::Read),
        ];
        let found = BTreeSet::from(found);
        let all = [
            "role app has nothing on c any more",
            "role app has Read on a",
            "role app has Write on b",
        ];
        assert_eq!(words(&wanted, Some(&found)), all);
        let kept: BTreeSet<Permission> = [
            permission("a", PermissionKind::Read),
            permission("b", PermissionKind::Write),
        ]
        .into();
        assert!(words(&wanted, Some(&kept)).is_empty());
    }
}
