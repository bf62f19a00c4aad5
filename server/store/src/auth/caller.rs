//! Who wants something.

use super::ROOT;

/// A user as it was authenticated, and the auth revision at which it was. The default is nobody, who came without
/// credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    pub user: String,
    pub auth_revision: u64,
}

impl Caller {
    /// Whose name the member itself uses when it revokes an expired lease, as in etcd: nobody may not revoke. The user
    /// `root` cannot go, nor lose its role, as long as access control is on.
    pub fn root(auth_revision: u64) -> Self {
        Self {
            user: ROOT.to_owned(),
            auth_revision,
        }
    }

    pub(crate) fn is_nobody(&self) -> bool {
        self.user.is_empty()
    }
}
