//! Why users and roles do not change, and why a caller may not. The texts are for logs; the wire has its own table.

use crate::StoreFailure;

/// etcd's own set: each is one message on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    #[error("root user does not exist")]
    RootUserNotExist,
    #[error("root user does not have root role")]
    RootRoleNotExist,
    #[error("user already exists")]
    UserAlreadyExists,
    #[error("user not found")]
    UserNotFound,
    /// Also of a caller who came without credentials.
    #[error("user name is empty")]
    UserEmpty,
    #[error("role already exists")]
    RoleAlreadyExists,
    #[error("role not found")]
    RoleNotFound,
    #[error("role name is empty")]
    RoleEmpty,
    #[error("permission not given")]
    PermissionNotGiven,
    #[error("permission denied")]
    PermissionDenied,
    #[error("role is not granted to the user")]
    RoleNotGranted,
    #[error("permission is not granted to the role")]
    PermissionNotGranted,
    #[error("authentication is not enabled")]
    NotEnabled,
    /// It would lock everybody out, or names a range that is none.
    #[error("invalid auth management")]
    InvalidManagement,
    /// The caller was authenticated before the last change of users and roles.
    #[error("revision of auth store is old")]
    OldRevision,
    /// Not told apart: no such user, wrong password, none that could be right.
    #[error("authentication failed, invalid user ID or password")]
    Failed,
    /// etcd's answer to a password that cannot be read, too.
    #[error("authentication failed, password was given for no password user")]
    NoPasswordUser,
}

/// Why something is not permitted whose keys have to be looked up first.
#[derive(Debug, thiserror::Error)]
pub enum PermitError {
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error(transparent)]
    Failure(#[from] StoreFailure),
}
