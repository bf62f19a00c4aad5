//! Users and roles, by etcd's rules.

use taffrail_operator::etcd::{AccessChange, EtcdError};

use super::{History, User};

/// Makes one change, as the client tells it: what has gone already counts as removed.
pub fn change(history: &mut History, change: AccessChange) -> Result<(), EtcdError> {
    let refused = |text: &str| EtcdError::Refused(text.into());
    let no_user = || refused("user name not found");
    let no_role = || refused("role name not found");
    match change {
        AccessChange::AddUser { name, password } => {
            if name == "root" || history.users.contains_key(&name) {
                return Err(refused("user name already exists"));
            }
            let user = User {
                password,
                ..User::default()
            };
            history.users.insert(name, user);
        }
        AccessChange::DeleteUser { name } => drop(history.users.remove(&name)),
        AccessChange::ChangePassword { name, password } => {
            let user = history.users.get_mut(&name).ok_or_else(no_user)?;
            // Who has none never gets one.
            user.password = user.password.is_some().then_some(password);
        }
        AccessChange::GrantRole { user, role } => {
            if !history.roles.contains_key(&role) {
                return Err(no_role());
            }
            history.users.get_mut(&user).ok_or_else(no_user)?.roles.insert(role);
        }
        AccessChange::RevokeRole { user, role } => {
            history.users.get_mut(&user).ok_or_else(no_user)?.roles.remove(&role);
        }
        AccessChange::AddRole { name } => {
            if history.roles.contains_key(&name) {
                return Err(refused("role name already exists"));
            }
            history.roles.insert(name, Default::default());
        }
        AccessChange::DeleteRole { name } => {
            history.roles.remove(&name);
            for user in history.users.values_mut() {
                user.roles.remove(&name);
            }
        }
        AccessChange::Grant { role, permission } => {
            let all = history.roles.get_mut(&role).ok_or_else(no_role)?;
            all.retain(|one| (&one.key, &one.range_end) != (&permission.key, &permission.range_end));
            all.insert(permission);
        }
        AccessChange::Revoke { role, key, range_end } => {
            let all = history.roles.get_mut(&role).ok_or_else(no_role)?;
            all.retain(|one| (&one.key, &one.range_end) != (&key, &range_end));
        }
    }
    Ok(())
}
