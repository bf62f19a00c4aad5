//! A member on which authentication is on, and ways to ask it as somebody.

use std::path::Path;

use taffrail_e2e::Member;
use taffrail_e2e::users::{self, ROOT};
use taffrail_proto::authpb::{Permission, permission::Type};
use taffrail_proto::etcdserverpb as pb;
use taffrail_proto::etcdserverpb::auth_client::AuthClient;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

/// Hashing is as cheap as it can be; each password is the name of its user.
const CHEAP: &str = "--bcrypt-cost=4";

pub struct Guarded {
    pub member: Member,
    pub root: As,
}

/// Puts a token on what it sends; none for nobody.
#[derive(Clone, Default)]
pub struct As(Option<AsciiMetadataValue>);

impl As {
    pub const NOBODY: As = As(None);

    pub fn token(token: &str) -> As {
        As(Some(token.parse().expect("a token is plain text")))
    }

    pub fn asks<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        self.sign(request.metadata_mut());
        request
    }

    pub fn sign(&self, metadata: &mut MetadataMap) {
        if let Some(token) = &self.0 {
            metadata.insert("token", token.clone());
        }
    }
}

pub fn permission(kind: Type, key: &str, range_end: &str) -> Permission {
    Permission {
        perm_type: kind.into(),
        key: key.to_owned().into(),
        range_end: range_end.to_owned().into(),
    }
}

impl Guarded {
    /// With root alone.
    pub async fn fresh() -> Guarded {
        Guarded::start(None, &[]).await
    }

    pub async fn start(program: Option<&Path>, args: &[&str]) -> Guarded {
        let mut builder = Member::builder().arg(CHEAP);
        if let Some(program) = program {
            builder = builder.program(program);
        }
        for arg in args {
            builder = builder.arg(*arg);
        }
        let member = builder.start().await;
        let mut guarded = Guarded {
            member,
            root: As::NOBODY,
        };
        guarded.member.enable_auth(&[(ROOT, ROOT)]).await;
        guarded.root = guarded.log_in(ROOT).await;
        guarded
    }

    pub fn auth(&self) -> AuthClient<Channel> {
        self.member.auth()
    }

    pub async fn add_user(&self, name: &str) {
        let add = self.root.asks(users::user(name, name));
        self.auth().user_add(add).await.expect("added");
    }

    pub async fn change_password(&self, name: &str, password: &str) {
        let change = pb::AuthUserChangePasswordRequest {
            name: name.into(),
            password: password.into(),
            ..Default::default()
        };
        let changed = self.auth().user_change_password(self.root.asks(change)).await;
        changed.expect("changed");
    }

    pub async fn add_role(&self, name: &str) {
        let add = pb::AuthRoleAddRequest { name: name.into() };
        self.auth().role_add(self.root.asks(add)).await.expect("added");
    }

    pub async fn grant_role(&self, user: &str, role: &str) {
        let grant = pb::AuthUserGrantRoleRequest {
            user: user.into(),
            role: role.into(),
        };
        self.auth()
            .user_grant_role(self.root.asks(grant))
            .await
            .expect("granted");
    }

    pub async fn revoke_role(&self, user: &str, role: &str) {
        let revoke = pb::AuthUserRevokeRoleRequest {
            name: user.into(),
            role: role.into(),
        };
        self.auth()
            .user_revoke_role(self.root.asks(revoke))
            .await
            .expect("revoked");
    }

    pub async fn allow(&self, role: &str, permission: Permission) {
        let grant = pb::AuthRoleGrantPermissionRequest {
            name: role.into(),
            perm: Some(permission),
        };
        let granted = self.auth().role_grant_permission(self.root.asks(grant)).await;
        granted.expect("granted");
    }

    pub async fn disallow(&self, role: &str, permission: &Permission) {
        let revoke = pb::AuthRoleRevokePermissionRequest {
            role: role.into(),
            key: permission.key.clone(),
            range_end: permission.range_end.clone(),
        };
        let revoked = self.auth().role_revoke_permission(self.root.asks(revoke)).await;
        revoked.expect("revoked");
    }

    /// A user that holds a role of its own name with these permissions.
    pub async fn user_with(&self, name: &str, permissions: Vec<Permission>) -> As {
        self.add_user(name).await;
        self.add_role(name).await;
        for permission in permissions {
            self.allow(name, permission).await;
        }
        self.grant_role(name, name).await;
        self.log_in(name).await
    }

    pub async fn log_in(&self, name: &str) -> As {
        As::token(&self.member.token(name).await)
    }

    pub async fn authenticate(&self, name: &str, password: &str) -> Result<Response<pb::AuthenticateResponse>, Status> {
        self.member.authenticate(name, password).await
    }
}
