//! The plainest thing that knows what is permitted: it looks at every permission for every key that matters.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use taffrail_proto::authpb::Permission;
use taffrail_proto::authpb::permission::Type;

use crate::ask::Ask;

pub const ROOT: &str = "root";

/// What a request is refused with, without etcd's prefix; none if it is not refused for who asks.
pub type Decision = Option<&'static str>;

pub const DENIED: &str = "permission denied";
pub const EMPTY: &str = "user name is empty";
pub const INVALID: &str = "invalid auth token";

#[derive(Debug, Default)]
pub struct Model {
    pub users: BTreeMap<String, BTreeSet<String>>,
    pub roles: BTreeMap<String, Vec<Permission>>,
    /// Keys on each lease.
    pub attached: BTreeMap<i64, BTreeSet<Bytes>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    User(String),
    Nobody,
    /// With a token that was never given out.
    Stranger,
}

impl Model {
    pub fn decide(&self, who: &Who, ask: &Ask) -> Decision {
        let user = match who {
            Who::Stranger => return Some(INVALID),
            Who::Nobody => return Some(EMPTY),
            Who::User(user) => user,
        };
        (!self.allows(user, ask)).then_some(DENIED)
    }

    fn is_root(&self, user: &str) -> bool {
        self.users[user].contains(ROOT)
    }

    fn allows(&self, user: &str, ask: &Ask) -> bool {
        if self.is_root(user) {
            return true;
        }
        let may = |kind, key: &Bytes, end: &Bytes| self.may(user, kind, key, end);
        let (read, write) = (Type::Read, Type::Write);
        match ask {
            Ask::Range { key, end } | Ask::Watch { key, end } => may(read, key, end),
            Ask::Put { key, lease, prev_kv } => {
                let nothing = Bytes::new();
                let attached = self.attached.get(lease);
                may(write, key, &nothing)
                    && (!prev_kv || may(read, key, &nothing))
                    && attached.is_none_or(|keys| keys.iter().all(|key| may(write, key, &nothing)))
            }
            Ask::Delete { key, end, prev_kv } => may(write, key, end) && (!prev_kv || may(read, key, end)),
            Ask::Txn { compares, ops } => {
                compares.iter().all(|(key, end)| may(read, key, end)) && ops.iter().all(|op| self.allows(user, op))
            }
            Ask::Revoke(lease) | Ask::KeepAlive(lease) => self.may_all(user, write, *lease),
            Ask::TimeToLive(lease, keys) => !keys || self.may_all(user, read, *lease),
            Ask::Leases => self.attached.keys().all(|lease| self.may_all(user, read, *lease)),
            Ask::Status | Ask::Alarms | Ask::Members => true,
            Ask::HashKv | Ask::Hash | Ask::Users | Ask::Roles | Ask::AuthStatus | Ask::MoveLeader | Ask::AddUser => {
                false
            }
            Ask::User(name) => name == user,
            Ask::Role(role) => self.users[user].contains(role),
        }
    }

    fn may_all(&self, user: &str, kind: Type, lease: i64) -> bool {
        let keys = self.attached.get(&lease).into_iter().flatten();
        keys.into_iter().all(|key| self.may(user, kind, key, &Bytes::new()))
    }

    /// Between two ends of permissions nothing changes, so the ends are all that has to be looked at.
    fn may(&self, user: &str, kind: Type, key: &Bytes, end: &Bytes) -> bool {
        let permissions: Vec<&Permission> = self.users[user]
            .iter()
            .filter_map(|role| self.roles.get(role))
            .flatten()
            .filter(|permission| [kind, Type::Readwrite].contains(&permission.perm_type()))
            .collect();
        let ends = permissions
            .iter()
            .flat_map(|p| [p.key.clone(), after(&p.key), p.range_end.clone()]);
        let mut points = ends.chain([key.clone()]).filter(|point| lies_in(point, key, end));
        points.all(|point| permissions.iter().any(|p| lies_in(&point, &p.key, &p.range_end)))
    }
}

/// The very next key.
fn after(key: &Bytes) -> Bytes {
    [key, &b"\0"[..]].concat().into()
}

fn lies_in(point: &Bytes, key: &Bytes, end: &Bytes) -> bool {
    match end.as_ref() {
        b"" => point == key,
        b"\0" => point >= key,
        end => point >= key && point.as_ref() < end,
    }
}
