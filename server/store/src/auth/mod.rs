//! Users, roles, and what their permissions allow.
//!
//! Enters: requests of the log that change users and roles, and callers who want something. Leaves: a [`Change`] or
//! the [`AuthError`] that refuses it, and whether a caller may do what it wants. Always holds: what a user may do is
//! worked out when a user or a role changes, not when a key is asked for; every change but that which turns access
//! control on makes a new auth revision; whoever was authenticated at an older one is refused.
//!
//! The rules are those of etcd's `server/auth/store.go`. No password is compared here, and no token is kept.

mod caller;
mod change;
mod error;
mod guard;
mod keys;
mod permit;
mod rights;
mod roles;
mod users;

pub use caller::Caller;
pub use error::{AuthError, PermitError};

pub(crate) use change::{Change, Decided};
pub(crate) use guard::{Attached, Guard, Permitted};
pub(crate) use permit::Access;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use taffrail_proto::authpb::{Role, User};

use rights::Rights;

/// Whoever holds it may do everything.
pub const ROOT: &str = "root";
/// As etcd counts: a store in which nobody was ever added says 1.
const FIRST_REVISION: u64 = 1;

/// Every user and role at one auth revision. Shared by all views until one of them changes.
#[derive(Clone)]
pub struct Auth {
    enabled: bool,
    revision: u64,
    users: BTreeMap<Bytes, Known>,
    roles: BTreeMap<Bytes, Role>,
}

/// A user, and what its roles allow taken together.
#[derive(Clone)]
struct Known {
    user: User,
    rights: Arc<Rights>,
}

/// Not the users themselves: hashes of passwords belong into no log.
impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
            .field("enabled", &self.enabled)
            .field("revision", &self.revision)
            .field("users", &self.users.len())
            .field("roles", &self.roles.len())
            .finish_non_exhaustive()
    }
}

impl Default for Auth {
    fn default() -> Self {
        Self::new(false, FIRST_REVISION, Vec::new(), Vec::new())
    }
}

impl Auth {
    /// As it was stored.
    pub(crate) fn new(enabled: bool, revision: u64, users: Vec<User>, roles: Vec<Role>) -> Self {
        let roles: BTreeMap<_, _> = roles.into_iter().map(|role| (role.name.clone(), role)).collect();
        let users = users.into_iter();
        let users = users
            .map(|user| (user.name.clone(), Known::new(user, &roles)))
            .collect();
        Self {
            enabled,
            revision: revision.max(FIRST_REVISION),
            users,
            roles,
        }
    }

    /// Nobody has ever been added.
    pub(crate) fn is_untouched(&self) -> bool {
        !self.enabled && self.revision == FIRST_REVISION && self.users.is_empty() && self.roles.is_empty()
    }

    /// Whether callers are asked who they are.
    pub fn enabled(&self) -> bool {
        self.enabled
    }

    /// Counts changes of users and roles from 1 on, as etcd does.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.get(name.as_bytes()).map(|known| &known.user)
    }

    /// Sorted by name.
    pub fn users(&self) -> impl Iterator<Item = &User> {
        self.users.values().map(|known| &known.user)
    }

    /// As it is stored: that `root` may do everything does not follow from its permissions.
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.get(name.as_bytes())
    }

    /// Sorted by name.
    pub fn roles(&self) -> impl Iterator<Item = &Role> {
        self.roles.values()
    }

    /// A role may be held that has no record: `root` needs none.
    pub fn holds_role(&self, user: &str, role: &str) -> bool {
        self.user(user)
            .is_some_and(|user| user.roles.iter().any(|held| held == role))
    }
}
