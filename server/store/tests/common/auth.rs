//! Requests about users and roles, and callers to make them.

use bytes::Bytes;
use taffrail_proto::authpb::{Permission, UserAddOptions};
use taffrail_proto::etcdserverpb::{
    AuthDisableRequest, AuthEnableRequest, AuthRoleAddRequest, AuthRoleDeleteRequest, AuthRoleGrantPermissionRequest,
    AuthRoleRevokePermissionRequest, AuthUserAddRequest, AuthUserChangePasswordRequest, AuthUserDeleteRequest,
    AuthUserGrantRoleRequest, AuthUserRevokeRoleRequest, InternalAuthenticateRequest, InternalRaftRequest,
    RequestHeader,
};
use taffrail_store::{Answer, ApplyError, AuthError, Caller};

use super::Fixture;

pub const READ: i32 = 0;
pub const WRITE: i32 = 1;
pub const READWRITE: i32 = 2;

/// `hash` in base64.
const HASHED: &str = "aGFzaA==";

macro_rules! raft {
    ($field:ident: $request:expr) => {
        InternalRaftRequest {
            $field: Some($request),
            ..InternalRaftRequest::default()
        }
    };
}

pub fn enable() -> InternalRaftRequest {
    raft!(auth_enable: AuthEnableRequest {})
}

pub fn disable() -> InternalRaftRequest {
    raft!(auth_disable: AuthDisableRequest {})
}

pub fn authenticate(name: &str) -> InternalRaftRequest {
    raft!(authenticate: InternalAuthenticateRequest {
        name: name.into(),
        password: String::new(),
        simple_token: "token".into(),
    })
}

pub fn user_add(name: &str) -> InternalRaftRequest {
    raft!(auth_user_add: AuthUserAddRequest {
        name: name.into(),
        hashed_password: HASHED.into(),
        ..AuthUserAddRequest::default()
    })
}

pub fn user_add_without_password(name: &str) -> InternalRaftRequest {
    raft!(auth_user_add: AuthUserAddRequest {
        name: name.into(),
        options: Some(UserAddOptions { no_password: true }),
        ..AuthUserAddRequest::default()
    })
}

pub fn user_delete(name: &str) -> InternalRaftRequest {
    raft!(auth_user_delete: AuthUserDeleteRequest { name: name.into() })
}

pub fn change_password(name: &str, hashed: &str) -> InternalRaftRequest {
    raft!(auth_user_change_password: AuthUserChangePasswordRequest {
        name: name.into(),
        password: String::new(),
        hashed_password: hashed.into(),
    })
}

pub fn grant_role(user: &str, role: &str) -> InternalRaftRequest {
    raft!(auth_user_grant_role: AuthUserGrantRoleRequest { user: user.into(), role: role.into() })
}

pub fn revoke_role(name: &str, role: &str) -> InternalRaftRequest {
    raft!(auth_user_revoke_role: AuthUserRevokeRoleRequest { name: name.into(), role: role.into() })
}

pub fn role_add(name: &str) -> InternalRaftRequest {
    raft!(auth_role_add: AuthRoleAddRequest { name: name.into() })
}

pub fn role_delete(role: &str) -> InternalRaftRequest {
    raft!(auth_role_delete: AuthRoleDeleteRequest { role: role.into() })
}

pub fn permission(perm_type: i32, key: &str, range_end: &str) -> Permission {
    Permission {
        perm_type,
        key: Bytes::copy_from_slice(key.as_bytes()),
        range_end: Bytes::copy_from_slice(range_end.as_bytes()),
    }
}

pub fn grant_permission(role: &str, perm: Option<Permission>) -> InternalRaftRequest {
    raft!(auth_role_grant_permission: AuthRoleGrantPermissionRequest { name: role.into(), perm })
}

pub fn allow(role: &str, perm_type: i32, key: &str, range_end: &str) -> InternalRaftRequest {
    grant_permission(role, Some(permission(perm_type, key, range_end)))
}

pub fn revoke_permission(role: &str, key: &str, range_end: &str) -> InternalRaftRequest {
    raft!(auth_role_revoke_permission: AuthRoleRevokePermissionRequest {
        role: role.into(),
        key: Bytes::copy_from_slice(key.as_bytes()),
        range_end: Bytes::copy_from_slice(range_end.as_bytes()),
    })
}

pub fn by(caller: &Caller, request: InternalRaftRequest) -> InternalRaftRequest {
    let header = RequestHeader {
        id: 7,
        username: caller.user.clone(),
        auth_revision: caller.auth_revision,
    };
    InternalRaftRequest {
        header: Some(header),
        ..request
    }
}

pub fn refused(why: AuthError) -> Answer {
    Err(ApplyError::Auth(why))
}

impl Fixture {
    /// Somebody who was authenticated just now.
    pub fn caller(&self, user: &str) -> Caller {
        Caller {
            user: user.into(),
            auth_revision: self.view().auth().revision(),
        }
    }

    pub fn apply_by(&mut self, user: &str, request: InternalRaftRequest) -> Answer {
        let caller = self.caller(user);
        self.apply(by(&caller, request)).answer
    }

    pub fn all_accepted(&mut self, requests: &[InternalRaftRequest]) {
        for applied in self.apply_all(requests) {
            applied.answer.expect("the request is accepted");
        }
    }

    /// Access control is on; `reader`, `writer` and `both` may do so with keys from `a` to `n`, `guest` nothing.
    pub fn guarded() -> Self {
        let mut fixture = Self::new();
        fixture.all_accepted(&[user_add("root"), grant_role("root", "root"), user_add("guest")]);
        for (user, perm_type) in [("reader", READ), ("writer", WRITE), ("both", READWRITE)] {
            let role = format!("{user}s");
            fixture.all_accepted(&[
                user_add(user),
                role_add(&role),
                allow(&role, perm_type, "a", "n"),
                grant_role(user, &role),
            ]);
        }
        fixture.all_accepted(&[enable()]);
        fixture
    }
}
