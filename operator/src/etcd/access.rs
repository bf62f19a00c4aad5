//! Users and roles of one etcd, as the operator sees them.

use std::collections::BTreeSet;

use taffrail_proto::authpb::permission::Type;
use taffrail_proto::authpb::{Permission as Wire, UserAddOptions};
use taffrail_proto::etcdserverpb::*;

use super::calls::Ask;
use super::channels::Door;
use super::{Access, Endpoint, EtcdClient, EtcdError};

/// What a role may do with a range of keys. etcd keeps one of them per range.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permission {
    pub key: Vec<u8>,
    /// Empty: `key` alone. A single zero byte: all keys from `key` on.
    pub range_end: Vec<u8>,
    pub kind: PermissionKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PermissionKind {
    Read,
    Write,
    ReadWrite,
}

/// A change of users or roles. One that was made before counts as made.
#[derive(Clone, PartialEq, Eq)]
pub enum AccessChange {
    /// Without a password it comes with a certificate.
    AddUser {
        name: String,
        password: Option<String>,
    },
    DeleteUser {
        name: String,
    },
    ChangePassword {
        name: String,
        password: String,
    },
    GrantRole {
        user: String,
        role: String,
    },
    RevokeRole {
        user: String,
        role: String,
    },
    AddRole {
        name: String,
    },
    DeleteRole {
        name: String,
    },
    Grant {
        role: String,
        permission: Permission,
    },
    Revoke {
        role: String,
        key: Vec<u8>,
        range_end: Vec<u8>,
    },
}

impl AccessChange {
    /// For people: everything but a password.
    pub fn words(&self) -> String {
        match self {
            Self::AddUser { name, .. } => format!("user {name} is made"),
            Self::DeleteUser { name } => format!("user {name} is removed"),
            Self::ChangePassword { name, .. } => format!("user {name} has another password"),
            Self::GrantRole { user, role } => format!("user {user} has the role {role}"),
            Self::RevokeRole { user, role } => format!("user {user} has the role {role} no more"),
            Self::AddRole { name } => format!("role {name} is made"),
            Self::DeleteRole { name } => format!("role {name} is removed"),
            Self::Grant { role, permission } => {
                let keys = range(&permission.key, &permission.range_end);
                format!("role {role} has {:?} on {keys}", permission.kind)
            }
            Self::Revoke { role, key, range_end } => {
                format!("role {role} has nothing on {} any more", range(key, range_end))
            }
        }
    }
}

fn range(key: &[u8], end: &[u8]) -> String {
    let (key, from_to) = (key.escape_ascii(), end.escape_ascii());
    if end.is_empty() {
        key.to_string()
    } else {
        format!("[{key}, {from_to})")
    }
}

impl EtcdClient {
    /// Makes one change. `ROLE_NOT_FOUND` and the like are told as [`EtcdError::Refused`].
    pub(super) async fn change(
        &self,
        access: &Access,
        through: &[Endpoint],
        change: &AccessChange,
    ) -> Result<(), EtcdError> {
        let made_before = already(change);
        let done = self.ask_for(access, through, change.clone()).await;
        match done {
            Err(EtcdError::Refused(said)) if made_before == Some(said.as_str()) => Ok(()),
            done => done,
        }
    }

    async fn ask_for(&self, access: &Access, through: &[Endpoint], change: AccessChange) -> Result<(), EtcdError> {
        macro_rules! ask {
            ($method:ident, $request:expr) => {{
                let call = async |door: Door, request| door.auth().$method(request).await;
                self.any(access, through, Ask::Once, $request, call)
                    .await
                    .map(drop)
            }};
        }
        match change {
            AccessChange::AddUser { name, password } => {
                let no_password = password.is_none();
                let request = AuthUserAddRequest {
                    name,
                    password: password.unwrap_or_default(),
                    options: Some(UserAddOptions { no_password }),
                    ..Default::default()
                };
                ask!(user_add, request)
            }
            AccessChange::DeleteUser { name } => ask!(user_delete, AuthUserDeleteRequest { name }),
            AccessChange::ChangePassword { name, password } => {
                let request = AuthUserChangePasswordRequest {
                    name,
                    password,
                    ..Default::default()
                };
                ask!(user_change_password, request)
            }
            AccessChange::GrantRole { user, role } => ask!(user_grant_role, AuthUserGrantRoleRequest { user, role }),
            AccessChange::RevokeRole { user: name, role } => {
                ask!(user_revoke_role, AuthUserRevokeRoleRequest { name, role })
            }
            AccessChange::AddRole { name } => ask!(role_add, AuthRoleAddRequest { name }),
            AccessChange::DeleteRole { name: role } => ask!(role_delete, AuthRoleDeleteRequest { role }),
            AccessChange::Grant { role, permission } => {
                let perm = Some(wire(permission));
                ask!(
                    role_grant_permission,
                    AuthRoleGrantPermissionRequest { name: role, perm }
                )
            }
            AccessChange::Revoke { role, key, range_end } => {
                let request = AuthRoleRevokePermissionRequest {
                    role,
                    key: key.into(),
                    range_end: range_end.into(),
                };
                ask!(role_revoke_permission, request)
            }
        }
    }

    /// Roles that the user has; none if there is no such user.
    pub(super) async fn roles_of_user(
        &self,
        access: &Access,
        through: &[Endpoint],
        name: &str,
    ) -> Result<Option<BTreeSet<String>>, EtcdError> {
        let call = async |door: Door, request| door.auth().user_get(request).await;
        let get = AuthUserGetRequest { name: name.into() };
        let answer = self.any(access, through, Ask::Anybody, get, call).await;
        found(
            answer.map(|user| user.roles.into_iter().collect()),
            "user name not found",
        )
    }

    /// Permissions of the role; none if there is no such role.
    pub(super) async fn permissions_of_role(
        &self,
        access: &Access,
        through: &[Endpoint],
        name: &str,
    ) -> Result<Option<BTreeSet<Permission>>, EtcdError> {
        let call = async |door: Door, request| door.auth().role_get(request).await;
        let get = AuthRoleGetRequest { role: name.into() };
        let answer = self.any(access, through, Ask::Anybody, get, call).await;
        let permissions = answer.map(|role| role.perm.into_iter().map(known).collect());
        found(permissions, "role name not found")
    }
}

/// What etcd says if the change was made before.
fn already(change: &AccessChange) -> Option<&'static str> {
    Some(match change {
        AccessChange::DeleteUser { .. } => "user name not found",
        AccessChange::DeleteRole { .. } => "role name not found",
        AccessChange::RevokeRole { .. } => "role is not granted to the user",
        AccessChange::Revoke { .. } => "permission is not granted to the role",
        // Whose it is, and which password it has, nobody knows then: whoever adds looks first.
        AccessChange::AddUser { .. } | AccessChange::AddRole { .. } => return None,
        AccessChange::ChangePassword { .. } | AccessChange::GrantRole { .. } | AccessChange::Grant { .. } => {
            return None;
        }
    })
}

fn found<T>(answer: Result<T, EtcdError>, missing: &str) -> Result<Option<T>, EtcdError> {
    match answer {
        Err(EtcdError::Refused(said)) if said == missing => Ok(None),
        answer => answer.map(Some),
    }
}

fn wire(permission: Permission) -> Wire {
    let kind = match permission.kind {
        PermissionKind::Read => Type::Read,
        PermissionKind::Write => Type::Write,
        PermissionKind::ReadWrite => Type::Readwrite,
    };
    Wire {
        perm_type: kind.into(),
        key: permission.key.into(),
        range_end: permission.range_end.into(),
    }
}

fn known(wire: Wire) -> Permission {
    let kind = match wire.perm_type() {
        Type::Read => PermissionKind::Read,
        Type::Write => PermissionKind::Write,
        Type::Readwrite => PermissionKind::ReadWrite,
    };
    Permission {
        key: wire.key.to_vec(),
        range_end: wire.range_end.to_vec(),
        kind,
    }
}
