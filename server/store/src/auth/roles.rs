//! Roles come, go, and are given permissions.

use taffrail_proto::authpb::{Permission, Role};
use taffrail_proto::etcdserverpb::{AuthRoleGrantPermissionRequest, AuthRoleRevokePermissionRequest};

use super::change::Decided;
use super::keys::is_range;
use super::users::without_role;
use super::{Auth, AuthError, ROOT};

impl Auth {
    pub(crate) fn add_role(&self, name: &str) -> Decided {
        if name.is_empty() {
            return Err(AuthError::RoleEmpty);
        }
        if self.role(name).is_some() {
            return Err(AuthError::RoleAlreadyExists);
        }
        let role = Role {
            name: name.to_owned().into(),
            key_permission: Vec::new(),
        };
        Ok(Some(self.next().role(role)))
    }

    /// Whoever holds it loses it.
    pub(crate) fn delete_role(&self, name: &str) -> Decided {
        if self.enabled() && name == ROOT {
            return Err(AuthError::InvalidManagement);
        }
        let role = self.known_role(name)?;
        let mut change = self.next();
        change.roles.push((role.name, None));
        let losing = self.users().filter_map(|user| without_role(user, name));
        Ok(Some(losing.fold(change, |change, user| change.user(user))))
    }

    /// Permissions stay sorted by key. One of the same range is replaced.
    pub(crate) fn grant_permission(&self, request: &AuthRoleGrantPermissionRequest) -> Decided {
        let granted = request.perm.clone().ok_or(AuthError::PermissionNotGiven)?;
        if !is_range(&granted.key, &granted.range_end) {
            return Err(AuthError::InvalidManagement);
        }
        let mut role = self.known_role(&request.name)?;
        let permissions = &mut role.key_permission;
        let same = |held: &&mut Permission| same_range(held, &granted.key, &granted.range_end);
        match permissions.iter_mut().find(same) {
            Some(held) => *held = granted,
            None => {
                let at = permissions.partition_point(|held| held.key <= granted.key);
                permissions.insert(at, granted);
            }
        }
        Ok(Some(self.next().role(role)))
    }

    /// Of exactly this range.
    pub(crate) fn revoke_permission(&self, request: &AuthRoleRevokePermissionRequest) -> Decided {
        let mut role = self.known_role(&request.role)?;
        let held = role.key_permission.len();
        role.key_permission
            .retain(|held| !same_range(held, &request.key, &request.range_end));
        if role.key_permission.len() == held {
            return Err(AuthError::PermissionNotGranted);
        }
        Ok(Some(self.next().role(role)))
    }

    fn known_role(&self, name: &str) -> Result<Role, AuthError> {
        self.role(name).cloned().ok_or(AuthError::RoleNotFound)
    }
}

fn same_range(held: &Permission, key: &[u8], range_end: &[u8]) -> bool {
    held.key == key && held.range_end == range_end
}
