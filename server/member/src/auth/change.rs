//! Changes of users and roles, each one entry of the log.

use taffrail_proto::etcdserverpb as pb;
use taffrail_store::Caller;

use crate::entry::Proposal;
use crate::{AuthChangeError, Member};

/// What can be changed.
#[derive(Debug, Clone, PartialEq)]
pub enum AuthChange {
    Enable,
    Disable,
    AddUser(pb::AuthUserAddRequest),
    DeleteUser(pb::AuthUserDeleteRequest),
    ChangePassword(pb::AuthUserChangePasswordRequest),
    GrantRole(pb::AuthUserGrantRoleRequest),
    RevokeRole(pb::AuthUserRevokeRoleRequest),
    AddRole(pb::AuthRoleAddRequest),
    DeleteRole(pb::AuthRoleDeleteRequest),
    GrantPermission(pb::AuthRoleGrantPermissionRequest),
    RevokePermission(pb::AuthRoleRevokePermissionRequest),
}

impl Member {
    /// Changes users and roles. Whether the caller may is decided where the entry is applied.
    pub async fn change_auth(&self, caller: &Caller, change: AuthChange) -> Result<(), AuthChangeError> {
        match self.without_password(change).await? {
            AuthChange::Enable => {
                self.propose(caller, Proposal::AuthEnable, pb::AuthEnableRequest {})
                    .await
            }
            AuthChange::Disable => {
                self.propose(caller, Proposal::AuthDisable, pb::AuthDisableRequest {})
                    .await
            }
            AuthChange::AddUser(add) => self.propose(caller, Proposal::UserAdd, add).await,
            AuthChange::DeleteUser(delete) => self.propose(caller, Proposal::UserDelete, delete).await,
            AuthChange::ChangePassword(change) => self.propose(caller, Proposal::UserChangePassword, change).await,
            AuthChange::GrantRole(grant) => self.propose(caller, Proposal::UserGrantRole, grant).await,
            AuthChange::RevokeRole(revoke) => self.propose(caller, Proposal::UserRevokeRole, revoke).await,
            AuthChange::AddRole(add) => self.propose(caller, Proposal::RoleAdd, add).await,
            AuthChange::DeleteRole(delete) => self.propose(caller, Proposal::RoleDelete, delete).await,
            AuthChange::GrantPermission(grant) => self.propose(caller, Proposal::RoleGrantPermission, grant).await,
            AuthChange::RevokePermission(revoke) => self.propose(caller, Proposal::RoleRevokePermission, revoke).await,
        }?;
        Ok(())
    }

    /// Hashed before it enters the log, which keeps nothing else of it.
    async fn without_password(&self, mut change: AuthChange) -> Result<AuthChange, AuthChangeError> {
        let (password, hashed) = match &mut change {
            AuthChange::AddUser(add) if !has_no_password(add) => (&mut add.password, &mut add.hashed_password),
            // etcd takes a hash from the client where there is no password.
            AuthChange::ChangePassword(change) if !change.password.is_empty() => {
                (&mut change.password, &mut change.hashed_password)
            }
            _ => return Ok(change),
        };
        *hashed = self.0.passwords.hash(std::mem::take(password)).await?;
        Ok(change)
    }
}

fn has_no_password(add: &pb::AuthUserAddRequest) -> bool {
    add.options.as_ref().is_some_and(|options| options.no_password)
}
