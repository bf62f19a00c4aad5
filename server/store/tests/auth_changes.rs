//! What requests do to users and roles, by etcd's rules.

mod common;

use common::auth::*;
use common::*;
use taffrail_proto::authpb::UserAddOptions;
use taffrail_proto::etcdserverpb::{
    AuthRoleListRequest, AuthStatusRequest, AuthUserGetRequest, InternalRaftRequest, RangeRequest,
};
use taffrail_store::{Answer, ApplyError, AuthError, Response};

/// Applies what is asked, one by one; returns the answer to the last, and by how much the auth revision grew with it.
fn answer(requests: &[InternalRaftRequest]) -> (Answer, u64) {
    let mut fixture = Fixture::new();
    let (last, before) = requests.split_last().expect("something is asked");
    fixture.all_accepted(before);
    let revision = fixture.view().auth().revision();
    let answer = fixture.apply(last.clone()).answer;
    (answer, fixture.view().auth().revision() - revision)
}

#[test]
fn a_fresh_store_has_nobody_and_says_the_first_revision() {
    let view = Fixture::new().view();
    assert!(!view.auth().enabled());
    assert_eq!(view.auth().revision(), 1);
    assert_eq!((view.auth().users().count(), view.auth().roles().count()), (0, 0));
}

#[test]
fn each_change_makes_a_revision_and_what_changes_nothing_makes_none() {
    let root = || [user_add("root"), grant_role("root", "root")];
    let with = |requests: &[InternalRaftRequest]| [&root()[..], requests].concat();
    let table = [
        (vec![user_add("u")], 1),
        (vec![user_add("u"), user_delete("u")], 1),
        (vec![user_add("u"), change_password("u", "")], 1),
        (vec![role_add("r")], 1),
        (vec![role_add("r"), role_delete("r")], 1),
        (vec![role_add("r"), allow("r", READ, "k", "")], 1),
        (
            vec![role_add("r"), allow("r", READ, "k", ""), allow("r", READ, "k", "")],
            1,
        ),
        (
            vec![
                role_add("r"),
                allow("r", READ, "k", ""),
                revoke_permission("r", "k", ""),
            ],
            1,
        ),
        (root().to_vec(), 1),
        (with(&[revoke_role("root", "root")]), 1),
        (with(&[grant_role("root", "root")]), 0),
        (with(&[enable()]), 0),
        (vec![disable()], 0),
    ];
    for (requests, grown) in table {
        assert_eq!(answer(&requests), (Ok(Response::Auth), grown), "{requests:?}");
    }
    let mut fixture = Fixture::guarded();
    let revision = fixture.view().auth().revision();
    assert_eq!(fixture.apply_by("root", enable()), Ok(Response::Auth));
    assert_eq!(fixture.view().auth().revision(), revision);
    assert_eq!(fixture.apply_by("root", disable()), Ok(Response::Auth));
    assert_eq!(fixture.view().auth().revision(), revision + 1);
    assert!(!fixture.view().auth().enabled());
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    use AuthError::*;
    let given = |key, end| vec![role_add("r"), allow("r", READ, key, end)];
    let table = [
        (vec![enable()], RootUserNotExist),
        (vec![user_add("root"), enable()], RootRoleNotExist),
        (vec![user_add("root"), role_add("root"), enable()], RootRoleNotExist),
        (vec![user_add("")], UserEmpty),
        (vec![user_add("u"), user_add("u")], UserAlreadyExists),
        (vec![user_delete("u")], UserNotFound),
        (vec![change_password("u", "")], UserNotFound),
        (vec![user_add("u"), change_password("u", "?")], NoPasswordUser),
        (vec![grant_role("u", "nor this")], UserNotFound),
        (vec![user_add("u"), grant_role("u", "r")], RoleNotFound),
        (vec![revoke_role("u", "r")], UserNotFound),
        (vec![user_add("u"), revoke_role("u", "r")], RoleNotGranted),
        (vec![role_add("")], RoleEmpty),
        (vec![role_add("r"), role_add("r")], RoleAlreadyExists),
        (vec![role_delete("root")], RoleNotFound),
        (vec![grant_permission("r", None)], PermissionNotGiven),
        (vec![allow("r", READ, "b", "a")], InvalidManagement),
        (vec![allow("r", READ, "a", "b")], RoleNotFound),
        (given("", ""), InvalidManagement),
        (given("", "\0"), InvalidManagement),
        (given("a", "a"), InvalidManagement),
        (vec![revoke_permission("r", "a", "")], RoleNotFound),
        (
            [given("a", "c"), vec![revoke_permission("r", "a", "b")]].concat(),
            PermissionNotGranted,
        ),
        (vec![authenticate("u")], NotEnabled),
    ];
    for (requests, why) in table {
        assert_eq!(answer(&requests), (refused(why), 0), "{requests:?}");
    }
}

#[test]
fn nobody_can_be_locked_out_while_access_control_is_on() {
    let mut fixture = Fixture::guarded();
    fixture.apply_by("root", role_add("root")).unwrap();
    for request in [user_delete("root"), revoke_role("root", "root"), role_delete("root")] {
        assert_eq!(fixture.apply_by("root", request), refused(AuthError::InvalidManagement));
    }
    fixture.apply_by("root", grant_role("both", "root")).unwrap();
    assert_eq!(
        fixture.apply_by("both", revoke_role("both", "root")),
        Ok(Response::Auth)
    );
    fixture.apply_by("root", disable()).unwrap();
    fixture.all_accepted(&[role_delete("root"), user_delete("root")]);
}

#[test]
fn roles_and_permissions_stay_sorted_and_one_of_the_same_range_is_replaced() {
    let mut fixture = Fixture::new();
    fixture.all_accepted(&[user_add("u"), role_add("b"), role_add("a"), grant_role("u", "root")]);
    fixture.all_accepted(&[grant_role("u", "b"), grant_role("u", "a")]);
    for (kind, key, end) in [
        (READ, "m", ""),
        (READ, "c", "e"),
        (WRITE, "c", "d"),
        (READWRITE, "c", "e"),
    ] {
        fixture.all_accepted(&[allow("a", kind, key, end)]);
    }
    let view = fixture.view();
    assert_eq!(view.auth().user("u").unwrap().roles, ["a", "b", "root"]);
    assert_eq!(
        view.auth().role("a").unwrap().key_permission,
        [
            permission(READWRITE, "c", "e"),
            permission(WRITE, "c", "d"),
            permission(READ, "m", "")
        ]
    );
    let names: Vec<_> = view.auth().roles().map(|role| role.name.clone()).collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn a_deleted_role_is_held_by_nobody() {
    let mut fixture = Fixture::new();
    fixture.all_accepted(&[role_add("r"), role_add("s"), user_add("u"), user_add("v")]);
    fixture.all_accepted(&[grant_role("u", "r"), grant_role("u", "s"), grant_role("v", "s")]);
    assert!(fixture.view().auth().holds_role("u", "r"));
    fixture.all_accepted(&[role_delete("r"), role_add("r")]);
    let view = fixture.view();
    assert!(!view.auth().holds_role("u", "r"));
    assert!(view.auth().holds_role("u", "s") && view.auth().holds_role("v", "s"));
    assert!(!view.auth().holds_role("nobody", "s"));
}

#[test]
fn a_password_is_kept_as_its_hash_and_a_user_without_one_keeps_none() {
    let mut fixture = Fixture::new();
    fixture.all_accepted(&[
        user_add("u"),
        user_add_without_password("n"),
        role_add("r"),
        grant_role("u", "r"),
    ]);
    let password = |fixture: &Fixture, name| fixture.view().auth().user(name).unwrap().password.clone();
    assert_eq!(
        (&password(&fixture, "u")[..], &password(&fixture, "n")[..]),
        (&b"hash"[..], &b""[..])
    );
    fixture.all_accepted(&[change_password("u", "b3RoZXI="), change_password("n", "b3RoZXI=")]);
    assert_eq!(
        (&password(&fixture, "u")[..], &password(&fixture, "n")[..]),
        (&b"other"[..], &b""[..])
    );
    let user = fixture.view().auth().user("u").unwrap().clone();
    assert_eq!(user.roles, ["r"], "they outlive a change of the password");
    assert_eq!(user.options, Some(UserAddOptions { no_password: false }));
}

#[test]
fn who_has_a_password_is_authenticated_at_the_revision_of_its_entry() {
    let mut fixture = Fixture::guarded();
    fixture.apply_by("root", user_add_without_password("n")).unwrap();
    let applied = fixture.apply(authenticate("reader"));
    let expected = Response::Authenticated {
        user: "reader".into(),
        auth_revision: fixture.view().auth().revision(),
        simple_token: "token".into(),
        index: applied.position.index,
    };
    assert_eq!(applied.answer, Ok(expected));
    for name in ["n", "unknown", ""] {
        assert_eq!(fixture.apply(authenticate(name)).answer, refused(AuthError::Failed));
    }
}

#[test]
fn what_the_engine_cannot_hold_and_questions_are_malformed() {
    let long = "n".repeat(40_000);
    let questions = [
        InternalRaftRequest {
            auth_status: Some(AuthStatusRequest {}),
            ..Default::default()
        },
        InternalRaftRequest {
            auth_user_get: Some(AuthUserGetRequest::default()),
            ..Default::default()
        },
        InternalRaftRequest {
            auth_role_list: Some(AuthRoleListRequest {}),
            ..Default::default()
        },
        InternalRaftRequest {
            range: Some(RangeRequest::default()),
            ..Default::default()
        },
    ];
    for request in [user_add(&long), role_add(&long)].into_iter().chain(questions) {
        let (answer, grown) = answer(&[request]);
        assert!(matches!(answer, Err(ApplyError::Malformed(_))), "{answer:?}");
        assert_eq!(grown, 0);
    }
}
