//! Whether a caller may.

use super::rights::Rights;
use super::{Auth, AuthError, Caller};

/// A caller that is who it says, and what it may do.
#[derive(Clone, Copy)]
pub(crate) enum Access<'a> {
    Full,
    Limited(&'a Rights),
}

impl Access<'_> {
    pub(crate) fn read(self, key: &[u8], range_end: &[u8]) -> Result<(), AuthError> {
        permitted(match self {
            Self::Full => true,
            Self::Limited(rights) => rights.read.contain(key, range_end),
        })
    }

    pub(crate) fn write(self, key: &[u8], range_end: &[u8]) -> Result<(), AuthError> {
        permitted(match self {
            Self::Full => true,
            Self::Limited(rights) => rights.write.contain(key, range_end),
        })
    }

    pub(crate) fn is_full(self) -> bool {
        matches!(self, Self::Full)
    }
}

fn permitted(may: bool) -> Result<(), AuthError> {
    if may { Ok(()) } else { Err(AuthError::PermissionDenied) }
}

impl Auth {
    /// What the caller may do; everything while access control is off. In etcd's order: first who came with nothing,
    /// then who came too late, then who is not known any more.
    pub(crate) fn access(&self, caller: &Caller) -> Result<Access<'_>, AuthError> {
        if !self.enabled {
            return Ok(Access::Full);
        }
        if caller.auth_revision == 0 {
            return Err(AuthError::UserEmpty);
        }
        if caller.auth_revision < self.revision {
            return Err(AuthError::OldRevision);
        }
        match self.users.get(caller.user.as_bytes()) {
            Some(known) if known.rights.is_root => Ok(Access::Full),
            Some(known) => Ok(Access::Limited(&known.rights)),
            None => Err(AuthError::PermissionDenied),
        }
    }

    /// The user holds the role `root`. As in etcd, since when it does not matter.
    pub fn permit_admin(&self, caller: &Caller) -> Result<(), AuthError> {
        if !self.enabled {
            return Ok(());
        }
        if caller.is_nobody() {
            return Err(AuthError::UserEmpty);
        }
        let known = self.users.get(caller.user.as_bytes()).ok_or(AuthError::UserNotFound)?;
        permitted(known.rights.is_root)
    }

    /// Any user, as long as it was authenticated after the last change.
    pub fn permit_user(&self, caller: &Caller) -> Result<(), AuthError> {
        if self.enabled && caller.is_nobody() {
            return Err(AuthError::UserEmpty);
        }
        self.access(caller).map(drop)
    }

    /// Every key from `key` up to `range_end`, as a range request names them.
    pub fn permit_read(&self, caller: &Caller, key: &[u8], range_end: &[u8]) -> Result<(), AuthError> {
        self.access(caller)?.read(key, range_end)
    }

    /// As [`Auth::permit_read`], to change or delete.
    pub fn permit_write(&self, caller: &Caller, key: &[u8], range_end: &[u8]) -> Result<(), AuthError> {
        self.access(caller)?.write(key, range_end)
    }
}
