//! What a request does to users and roles, decided before anything is written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use taffrail_proto::authpb::{Role, User};

use super::rights::Rights;
use super::{Auth, AuthError, Known, ROOT};
use crate::schema::auth;

/// Rows that come (or go, where there is none), and what stands beside them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    pub(crate) enabled: bool,
    pub(crate) revision: u64,
    pub(crate) users: Vec<(Bytes, Option<User>)>,
    pub(crate) roles: Vec<(Bytes, Option<Role>)>,
}

/// None: all is as it was wanted already, and the auth revision stays.
pub(crate) type Decided = Result<Option<Change>, AuthError>;

impl Change {
    /// As they are stored; those without a value go.
    pub(crate) fn rows(&self) -> Vec<(Vec<u8>, Option<Bytes>)> {
        let state = Bytes::copy_from_slice(&auth::state(self.enabled, self.revision));
        let users = self
            .users
            .iter()
            .map(|(name, user)| (auth::user_key(name), encoded(user)));
        let roles = self
            .roles
            .iter()
            .map(|(name, role)| (auth::role_key(name), encoded(role)));
        let state = (auth::STATE_KEY.to_vec(), Some(state));
        users.chain(roles).chain([state]).collect()
    }

    pub(super) fn user(mut self, user: User) -> Self {
        self.users.push((user.name.clone(), Some(user)));
        self
    }

    pub(super) fn role(mut self, role: Role) -> Self {
        self.roles.push((role.name.clone(), Some(role)));
        self
    }
}

fn encoded(record: &Option<impl Message>) -> Option<Bytes> {
    record.as_ref().map(|record| record.encode_to_vec().into())
}

impl Known {
    pub(super) fn new(user: User, roles: &BTreeMap<Bytes, Role>) -> Self {
        let rights = Arc::new(Rights::of(&user, roles));
        Self { user, rights }
    }
}

impl Auth {
    /// One that makes the next auth revision, and nothing yet.
    pub(super) fn next(&self) -> Change {
        Change {
            enabled: self.enabled,
            revision: self.revision + 1,
            users: Vec::new(),
            roles: Vec::new(),
        }
    }

    /// Everything there is, as if it were new.
    pub(crate) fn whole(&self) -> Change {
        let whole = Change {
            revision: self.revision,
            ..self.next()
        };
        let whole = self.users().cloned().fold(whole, Change::user);
        self.roles().cloned().fold(whole, Change::role)
    }

    /// Only with somebody who can turn it off again. Makes no revision, as in etcd.
    pub(crate) fn enable(&self) -> Decided {
        if self.enabled {
            return Ok(None);
        }
        let root = self.user(ROOT).ok_or(AuthError::RootUserNotExist)?;
        if !root.roles.iter().any(|role| role == ROOT) {
            return Err(AuthError::RootRoleNotExist);
        }
        Ok(Some(Change {
            enabled: true,
            revision: self.revision,
            ..self.next()
        }))
    }

    pub(crate) fn disable(&self) -> Decided {
        Ok(self.enabled.then(|| Change {
            enabled: false,
            ..self.next()
        }))
    }

    /// Afterwards what every user may do fits its roles again.
    pub(crate) fn apply(&mut self, change: Change) {
        let Change {
            enabled,
            revision,
            users,
            roles,
        } = change;
        (self.enabled, self.revision) = (enabled, revision);
        let changed: BTreeSet<_> = roles.iter().map(|(name, _)| name.clone()).collect();
        for (name, role) in roles {
            match role {
                Some(role) => drop(self.roles.insert(name, role)),
                None => drop(self.roles.remove(&name)),
            }
        }
        for (name, user) in users {
            match user {
                Some(user) => drop(self.users.insert(name, Known::new(user, &self.roles))),
                None => drop(self.users.remove(&name)),
            }
        }
        for known in self.users.values_mut() {
            if known.user.roles.iter().any(|role| changed.contains(role.as_bytes())) {
                known.rights = Arc::new(Rights::of(&known.user, &self.roles));
            }
        }
    }
}
