//! Users and roles as they are. etcd sends these questions through its log; here a read barrier gives the same.

use taffrail_proto::authpb::{Permission, permission};
use taffrail_store::{Auth, AuthError, Caller, ROOT, View};

use crate::{Member, ReadError};

/// Whether authentication is on, and how often users and roles have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthStatus {
    pub enabled: bool,
    pub revision: u64,
}

impl Member {
    pub async fn auth_status(&self) -> Result<AuthStatus, ReadError> {
        let view = self.newest().await?;
        let auth = view.auth();
        Ok(AuthStatus {
            enabled: auth.enabled(),
            revision: auth.revision(),
        })
    }

    /// The roles of a user, which that user may ask for as well.
    pub async fn user_roles(&self, caller: &Caller, name: &str) -> Result<Vec<String>, ReadError> {
        let view = self.newest().await?;
        let auth = view.auth();
        if caller.user != name {
            auth.permit_admin(caller)?;
        }
        let user = auth.user(name).ok_or(AuthError::UserNotFound)?;
        Ok(user.roles.clone())
    }

    pub async fn users(&self, caller: &Caller) -> Result<Vec<String>, ReadError> {
        let view = self.newest().await?;
        view.auth().permit_admin(caller)?;
        Ok(view.auth().users().map(|user| name(&user.name)).collect())
    }

    /// What a role allows, which who holds it may ask for as well.
    pub async fn role_permissions(&self, caller: &Caller, role: &str) -> Result<Vec<Permission>, ReadError> {
        let view = self.newest().await?;
        let auth = view.auth();
        if !auth.holds_role(&caller.user, role) {
            auth.permit_admin(caller)?;
        }
        permissions(auth, role)
    }

    pub async fn roles(&self, caller: &Caller) -> Result<Vec<String>, ReadError> {
        let view = self.newest().await?;
        view.auth().permit_admin(caller)?;
        Ok(view.auth().roles().map(|role| name(&role.name)).collect())
    }

    async fn newest(&self) -> Result<View, ReadError> {
        self.barrier().await?;
        Ok(self.view())
    }
}

fn permissions(auth: &Auth, name: &str) -> Result<Vec<Permission>, ReadError> {
    let role = auth.role(name).ok_or(AuthError::RoleNotFound)?;
    if name == ROOT {
        return Ok(vec![everything()]);
    }
    Ok(role.key_permission.clone())
}

/// What the root role is told to allow (etcd auth/store.go, rootPerm).
fn everything() -> Permission {
    Permission {
        perm_type: permission::Type::Readwrite.into(),
        key: bytes::Bytes::new(),
        range_end: bytes::Bytes::from_static(&[0]),
    }
}

fn name(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
