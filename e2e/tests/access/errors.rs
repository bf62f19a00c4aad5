//! Changes of users and roles that cannot be, each with etcd's code and text.

use taffrail_e2e::calls::assert_refused;
use taffrail_proto::authpb::permission::Type;
use taffrail_proto::etcdserverpb as pb;
use tonic::Code;

use crate::guarded::{Guarded, permission};

const EARLY: Code = Code::FailedPrecondition;
const WRONG: Code = Code::InvalidArgument;

#[tokio::test]
async fn of_users() {
    let on = Guarded::fresh().await;
    on.add_user("alice").await;
    let (mut auth, root) = (on.auth(), &on.root);
    let add = |name: &str| pb::AuthUserAddRequest {
        name: name.into(),
        password: "x".into(),
        ..Default::default()
    };
    assert_refused(auth.user_add(root.asks(add(""))).await, WRONG, "user name is empty");
    assert_refused(
        auth.user_add(root.asks(add("alice"))).await,
        EARLY,
        "user name already exists",
    );
    let unknown = "user name not found";
    let get = pb::AuthUserGetRequest { name: "bob".into() };
    assert_refused(auth.user_get(root.asks(get)).await, EARLY, unknown);
    let delete = pb::AuthUserDeleteRequest { name: "bob".into() };
    assert_refused(auth.user_delete(root.asks(delete)).await, EARLY, unknown);
    let change = pb::AuthUserChangePasswordRequest {
        name: "bob".into(),
        password: "x".into(),
        ..Default::default()
    };
    assert_refused(auth.user_change_password(root.asks(change)).await, EARLY, unknown);
    let long = pb::AuthUserAddRequest {
        password: "x".repeat(73),
        ..add("carol")
    };
    let status = auth.user_add(root.asks(long)).await.expect_err("too long");
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unknown, "bcrypt: password length exceeds 72 bytes")
    );
}

#[tokio::test]
async fn of_roles() {
    let on = Guarded::fresh().await;
    on.add_role("reader").await;
    let (mut auth, root) = (on.auth(), &on.root);
    let add = |name: &str| pb::AuthRoleAddRequest { name: name.into() };
    assert_refused(auth.role_add(root.asks(add(""))).await, WRONG, "role name is empty");
    assert_refused(
        auth.role_add(root.asks(add("reader"))).await,
        EARLY,
        "role name already exists",
    );
    let unknown = "role name not found";
    let get = pb::AuthRoleGetRequest { role: "none".into() };
    assert_refused(auth.role_get(root.asks(get)).await, EARLY, unknown);
    let delete = pb::AuthRoleDeleteRequest { role: "none".into() };
    assert_refused(auth.role_delete(root.asks(delete)).await, EARLY, unknown);
    let grant = pb::AuthUserGrantRoleRequest {
        user: "root".into(),
        role: "none".into(),
    };
    assert_refused(auth.user_grant_role(root.asks(grant)).await, EARLY, unknown);
    let revoke = pb::AuthUserRevokeRoleRequest {
        name: "root".into(),
        role: "reader".into(),
    };
    let not_granted = "role is not granted to the user";
    assert_refused(auth.user_revoke_role(root.asks(revoke)).await, EARLY, not_granted);
}

#[tokio::test]
async fn of_permissions() {
    let on = Guarded::fresh().await;
    on.add_role("reader").await;
    let (mut auth, root) = (on.auth(), &on.root);
    let grant = |perm| pb::AuthRoleGrantPermissionRequest {
        name: "reader".into(),
        perm,
    };
    let none = auth.role_grant_permission(root.asks(grant(None))).await;
    assert_refused(none, WRONG, "permission not given");
    let backwards = grant(Some(permission(Type::Read, "b", "a")));
    let backwards = auth.role_grant_permission(root.asks(backwards)).await;
    assert_refused(backwards, WRONG, "invalid auth management");
    let revoke = pb::AuthRoleRevokePermissionRequest {
        role: "reader".into(),
        key: "a".into(),
        ..Default::default()
    };
    let not_granted = "permission is not granted to the role";
    assert_refused(auth.role_revoke_permission(root.asks(revoke)).await, EARLY, not_granted);
}

#[tokio::test]
async fn of_names_where_nobody_is_asked_for_one() {
    let on = Guarded::fresh().await;
    on.auth()
        .auth_disable(on.root.asks(pb::AuthDisableRequest {}))
        .await
        .unwrap();
    assert_refused(
        on.authenticate("root", "root").await,
        EARLY,
        "authentication is not enabled",
    );
}
