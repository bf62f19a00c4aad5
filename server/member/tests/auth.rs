//! Passwords become tokens, tokens become callers, and both end when they should.

mod common;

use std::time::Duration;

use common::{Living, NOBODY, member};
use taffrail_member::{AuthChange, AuthError, AuthenticateError, Caller, Credentials, InvalidToken};
use taffrail_proto::etcdserverpb as pb;

fn add_user(name: &str, password: &str) -> AuthChange {
    AuthChange::AddUser(pb::AuthUserAddRequest {
        name: name.into(),
        password: password.into(),
        ..Default::default()
    })
}

fn grant_role(user: &str, role: &str) -> AuthChange {
    AuthChange::GrantRole(pb::AuthUserGrantRoleRequest {
        user: user.into(),
        role: role.into(),
    })
}

async fn change(m: &Living, caller: &Caller, change: AuthChange) {
    m.member.change_auth(caller, change).await.expect("changed");
}

/// With root and alice, each with a password of her name.
async fn guarded() -> Living {
    let m = member(|_| {}).await;
    for name in ["root", "alice"] {
        change(&m, &NOBODY, add_user(name, name)).await;
    }
    change(&m, &NOBODY, grant_role("root", "root")).await;
    change(&m, &NOBODY, AuthChange::Enable).await;
    m
}

async fn authenticate(m: &Living, name: &str, password: &str) -> Result<String, AuthenticateError> {
    let request = pb::AuthenticateRequest {
        name: name.into(),
        password: password.into(),
    };
    m.member.authenticate(request).await
}

async fn identify(m: &Living, token: &str) -> Result<Caller, InvalidToken> {
    let credentials = Credentials {
        token: Some(token.into()),
        ..Default::default()
    };
    m.member.identify(&credentials).await
}

async fn root(m: &Living) -> Caller {
    let token = authenticate(m, "root", "root").await.expect("a token");
    identify(m, &token).await.expect("known")
}

#[tokio::test]
async fn a_token_names_its_user_and_follows_changes_of_users_and_roles() {
    let m = guarded().await;
    let token = authenticate(&m, "alice", "alice").await.expect("a token");
    let before = identify(&m, &token).await.expect("known");
    assert_eq!(before.user, "alice");
    change(&m, &root(&m).await, add_user("bob", "bob")).await;
    let after = identify(&m, &token).await.expect("still known");
    assert_eq!(after.auth_revision, before.auth_revision + 1);
}

#[tokio::test]
async fn whoever_changes_a_password_or_goes_loses_all_tokens() {
    let m = guarded().await;
    let token = authenticate(&m, "alice", "alice").await.expect("a token");
    let new_password = pb::AuthUserChangePasswordRequest {
        name: "alice".into(),
        password: "new".into(),
        ..Default::default()
    };
    change(&m, &root(&m).await, AuthChange::ChangePassword(new_password)).await;
    assert_eq!(identify(&m, &token).await, Err(InvalidToken));
    let token = authenticate(&m, "alice", "new").await.expect("a token");
    let delete = pb::AuthUserDeleteRequest { name: "alice".into() };
    change(&m, &root(&m).await, AuthChange::DeleteUser(delete)).await;
    assert_eq!(identify(&m, &token).await, Err(InvalidToken));
}

#[tokio::test]
async fn switching_authentication_off_ends_all_tokens() {
    let m = guarded().await;
    let token = authenticate(&m, "alice", "alice").await.expect("a token");
    change(&m, &root(&m).await, AuthChange::Disable).await;
    assert_eq!(
        identify(&m, &token).await,
        Ok(NOBODY.clone()),
        "nobody is asked while it is off"
    );
    change(&m, &NOBODY, AuthChange::Enable).await;
    assert_eq!(identify(&m, &token).await, Err(InvalidToken));
}

#[tokio::test]
async fn an_unused_token_ends() {
    let m = guarded().await;
    let token = authenticate(&m, "alice", "alice").await.expect("a token");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(299)).await;
    assert!(identify(&m, &token).await.is_ok(), "and its time starts anew");
    tokio::time::advance(Duration::from_secs(299)).await;
    assert!(identify(&m, &token).await.is_ok());
    tokio::time::advance(Duration::from_secs(301)).await;
    assert_eq!(identify(&m, &token).await, Err(InvalidToken));
}

#[tokio::test]
async fn strangers_and_wrong_passwords_are_not_told_apart() {
    let m = guarded().await;
    for (name, password) in [("alice", "wrong"), ("nobody", "alice"), ("alice", "")] {
        let refused = authenticate(&m, name, password).await;
        let failed = matches!(refused, Err(AuthenticateError::Denied(AuthError::Failed)));
        assert!(failed, "{name} with {password}: {refused:?}");
    }
}

#[tokio::test]
async fn a_common_name_is_a_user_where_there_is_no_token() {
    let m = guarded().await;
    let credentials = Credentials {
        token: None,
        common_name: Some("alice".into()),
    };
    assert_eq!(m.member.identify(&credentials).await.expect("known").user, "alice");
    let both = Credentials {
        token: Some("made.1".into()),
        ..credentials
    };
    assert_eq!(m.member.identify(&both).await, Err(InvalidToken));
}

#[tokio::test]
async fn a_change_needs_the_root_role() {
    let m = guarded().await;
    let token = authenticate(&m, "alice", "alice").await.expect("a token");
    let alice = identify(&m, &token).await.expect("known");
    assert!(m.member.change_auth(&alice, AuthChange::Disable).await.is_err());
    assert!(m.member.change_auth(&NOBODY, AuthChange::Disable).await.is_err());
    assert!(m.member.auth_is_enabled());
}
