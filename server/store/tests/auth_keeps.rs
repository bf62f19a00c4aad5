//! Users and roles survive whatever the keys survive, and are the same wherever the same entries were applied.

mod common;

use bytes::Bytes;
use common::auth::*;
use common::*;
use taffrail_proto::etcdserverpb::InternalRaftRequest;
use taffrail_store::backup::{self, BackupFacts, RestoreOptions};
use taffrail_store::{AuthError, Store, View};

/// Everything that can be asked about users and roles.
fn told(view: &View) -> String {
    let auth = view.auth();
    let (users, roles): (Vec<_>, Vec<_>) = (auth.users().collect(), auth.roles().collect());
    format!("{} {} {users:?} {roles:?}", auth.enabled(), auth.revision())
}

/// Leaves a user and a role that went, too.
fn lived_in() -> Fixture {
    let mut fixture = Fixture::guarded();
    for request in [
        role_add("gone"),
        user_add("gone"),
        grant_role("gone", "gone"),
        put("k", "v"),
    ] {
        fixture.apply_by("root", request).expect("root may");
    }
    for request in [
        role_delete("gone"),
        user_delete("gone"),
        revoke_role("reader", "readers"),
    ] {
        fixture.apply_by("root", request).expect("root may");
    }
    fixture
}

fn still_guarded(fixture: &mut Fixture) {
    let denied = refused(AuthError::PermissionDenied);
    assert_eq!(fixture.apply_by("reader", put("k", "w")), denied);
    assert_eq!(fixture.apply_by("gone", put("k", "w")), denied);
    assert_eq!(fixture.apply(put("k", "w")).answer, refused(AuthError::UserEmpty));
    assert!(fixture.apply_by("writer", put("k", "w")).is_ok());
}

#[test]
fn a_restart_changes_nothing() {
    let fixture = lived_in();
    let before = told(&fixture.view());
    let mut fixture = fixture.reopen();
    assert_eq!(told(&fixture.view()), before);
    still_guarded(&mut fixture);
}

#[test]
fn a_state_that_came_from_another_member_has_them() {
    let source = lived_in();
    let mut target = Fixture::new();
    target.all_accepted(&[user_add("of before"), role_add("of before")]);
    transfer(&source.view(), &target.store, &mut target.applier);
    assert_eq!(told(&target.view()), told(&source.view()));
    assert_eq!(target.view().hash().unwrap(), source.view().hash().unwrap());
    target.index = source.index;
    still_guarded(&mut target);
}

#[test]
fn a_backup_has_them_and_a_restored_store_goes_on_with_them() {
    let source = lived_in();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    backup::write(&source.view(), &BackupFacts::default(), file.as_file_mut()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    let unchecked = RestoreOptions {
        skip_hash_check: true,
        ..RestoreOptions::default()
    };
    backup::restore(file.path(), &dir, &unchecked, None).unwrap();
    let (store, applier) = Store::open(&dir, &options()).unwrap();
    assert_eq!(told(&store.view()), told(&source.view()));
    let mut restored = Fixture {
        dir: folder,
        store,
        applier,
        index: 0,
    };
    still_guarded(&mut restored);
}

#[test]
fn an_older_view_keeps_what_it_saw() {
    let mut fixture = Fixture::guarded();
    let (before, reader) = (fixture.view(), fixture.caller("reader"));
    fixture.apply_by("root", revoke_role("reader", "readers")).unwrap();
    assert_eq!(before.permit_range(&reader, &range("a", "n")), Ok(()));
    let view = fixture.view();
    assert_eq!(
        view.permit_range(&reader, &range("a", "n")),
        Err(AuthError::OldRevision)
    );
    assert_eq!(
        view.permit_range(&fixture.caller("reader"), &range("a", "n")),
        Err(AuthError::PermissionDenied)
    );
}

#[test]
fn the_same_entries_make_the_same_rows() {
    let rows = |fixture: &Fixture| {
        let chunks = fixture.view().export().collect::<Result<Vec<Bytes>, _>>();
        chunks.unwrap().concat()
    };
    let (one, other) = (lived_in(), lived_in());
    assert_eq!(rows(&one), rows(&other));
    let mut changed = lived_in();
    changed.apply_by("root", user_add("another")).unwrap();
    assert_ne!(changed.view().hash().unwrap(), one.view().hash().unwrap());
    assert_eq!(changed.view().hash_kv(0).unwrap(), one.view().hash_kv(0).unwrap());
}

#[test]
fn how_entries_are_batched_makes_no_difference() {
    let root = |request: InternalRaftRequest| {
        let root = taffrail_store::Caller::root(1);
        by(&root, request)
    };
    let requests = [
        user_add("root"),
        grant_role("root", "root"),
        enable(),
        user_add("u"),
        grant_role("u", "root"),
    ];
    let requests = requests.map(root);
    let (mut whole, mut single) = (Fixture::new(), Fixture::new());
    let together = whole.apply_all(&requests);
    let apart: Vec<_> = requests.into_iter().map(|request| single.apply(request)).collect();
    assert_eq!(format!("{together:?}"), format!("{apart:?}"));
    assert_eq!(told(&whole.view()), told(&single.view()));
}
