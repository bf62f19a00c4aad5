//! Users come, go, and hold roles.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use taffrail_proto::authpb::{User, UserAddOptions};
use taffrail_proto::etcdserverpb::{
    AuthUserAddRequest, AuthUserChangePasswordRequest, AuthUserGrantRoleRequest, AuthUserRevokeRoleRequest,
    InternalAuthenticateRequest,
};

use super::change::Decided;
use super::{Auth, AuthError, ROOT};

/// As Go reads it: bits after the last byte do not matter.
const BASE64: GeneralPurpose = {
    let as_go_reads = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&STANDARD, as_go_reads)
};

impl Auth {
    /// Whether the user could have a password at all: it was compared before the entry was proposed.
    pub(crate) fn authenticate(&self, request: &InternalAuthenticateRequest) -> Result<(), AuthError> {
        if !self.enabled() {
            return Err(AuthError::NotEnabled);
        }
        let user = self.user(&request.name).ok_or(AuthError::Failed)?;
        if has_no_password(user.options) {
            Err(AuthError::Failed)
        } else {
            Ok(())
        }
    }

    pub(crate) fn add_user(&self, request: &AuthUserAddRequest) -> Decided {
        if request.name.is_empty() {
            return Err(AuthError::UserEmpty);
        }
        if self.user(&request.name).is_some() {
            return Err(AuthError::UserAlreadyExists);
        }
        let options = Some(request.options.unwrap_or_default());
        let user = User {
            name: request.name.clone().into(),
            password: password(options, &request.password, &request.hashed_password)?,
            roles: Vec::new(),
            options,
        };
        Ok(Some(self.next().user(user)))
    }

    pub(crate) fn delete_user(&self, name: &str) -> Decided {
        if self.enabled() && name == ROOT {
            return Err(AuthError::InvalidManagement);
        }
        let user = self.known(name)?;
        let mut change = self.next();
        change.users.push((user.name, None));
        Ok(Some(change))
    }

    /// A user without a password stays without one.
    pub(crate) fn change_password(&self, request: &AuthUserChangePasswordRequest) -> Decided {
        let user = self.known(&request.name)?;
        let password = password(user.options, &request.password, &request.hashed_password)?;
        Ok(Some(self.next().user(User { password, ..user })))
    }

    /// Roles stay sorted. One that is held already makes no revision.
    pub(crate) fn grant_role(&self, request: &AuthUserGrantRoleRequest) -> Decided {
        let mut user = self.known(&request.user)?;
        if request.role != ROOT && self.role(&request.role).is_none() {
            return Err(AuthError::RoleNotFound);
        }
        match user.roles.binary_search(&request.role) {
            Ok(_) => Ok(None),
            Err(at) => {
                user.roles.insert(at, request.role.clone());
                Ok(Some(self.next().user(user)))
            }
        }
    }

    pub(crate) fn revoke_role(&self, request: &AuthUserRevokeRoleRequest) -> Decided {
        if self.enabled() && request.name == ROOT && request.role == ROOT {
            return Err(AuthError::InvalidManagement);
        }
        let user = without_role(&self.known(&request.name)?, &request.role).ok_or(AuthError::RoleNotGranted)?;
        Ok(Some(self.next().user(user)))
    }

    fn known(&self, name: &str) -> Result<User, AuthError> {
        self.user(name).cloned().ok_or(AuthError::UserNotFound)
    }
}

/// None if it does not hold the role.
pub(super) fn without_role(user: &User, role: &str) -> Option<User> {
    let mut user = user.clone();
    let held = user.roles.len();
    user.roles.retain(|name| name != role);
    (user.roles.len() < held).then_some(user)
}

/// Records of etcd before 3.4 have no options.
fn has_no_password(options: Option<UserAddOptions>) -> bool {
    options.is_some_and(|options| options.no_password)
}

/// The hash that is kept. A password that was never hashed, as entries of etcd before 3.5 have it, is not hashed
/// here: that takes chance, and every member would keep another one.
fn password(options: Option<UserAddOptions>, plain: &str, hashed: &str) -> Result<Bytes, AuthError> {
    if has_no_password(options) {
        return Ok(Bytes::new());
    }
    if hashed.is_empty() && !plain.is_empty() {
        return Err(AuthError::NoPasswordUser);
    }
    let decoded = BASE64.decode(hashed).map_err(|_| AuthError::NoPasswordUser)?;
    Ok(decoded.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_PASSWORD: Option<UserAddOptions> = Some(UserAddOptions { no_password: true });

    #[test]
    fn a_hash_is_kept_as_it_was_made() {
        for (plain, hashed, kept) in [
            ("", "JDJh", "$2a"),
            ("p", "JDI=", "$2"),
            ("", "JDJ=", "$2"),
            ("", "", ""),
        ] {
            assert_eq!(password(None, plain, hashed), Ok(kept.into()), "{hashed}");
        }
        assert_eq!(password(NO_PASSWORD, "p", "not base64"), Ok(Bytes::new()));
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        for (plain, hashed) in [("p", ""), ("", "JDI"), ("", "J D I"), ("", "JDI_")] {
            assert_eq!(
                password(None, plain, hashed),
                Err(AuthError::NoPasswordUser),
                "{hashed}"
            );
        }
    }

    #[test]
    fn the_last_of_its_roles_is_taken_like_any_other() {
        let user = User {
            roles: vec!["a".into()],
            ..User::default()
        };
        assert_eq!(without_role(&user, "a"), Some(User::default()));
        assert_eq!(without_role(&user, "b"), None);
    }
}
