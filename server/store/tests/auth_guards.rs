//! Who may have which entry applied once access control is on.

mod common;

use common::auth::*;
use common::*;
use taffrail_proto::etcdserverpb::alarm_request::AlarmAction;
use taffrail_proto::etcdserverpb::request_op::Request;
use taffrail_proto::etcdserverpb::{
    AlarmRequest, AlarmType, Compare, DeleteRangeRequest, InternalRaftRequest, LeaseCheckpointRequest, PutRequest,
    TxnRequest,
};
use taffrail_proto::membershippb::{ClusterMemberAttrSetRequest, ClusterVersionSetRequest, DowngradeInfoSetRequest};
use taffrail_store::{ApplyError, AuthError, Caller, Corrupt, NoSpace, PermitError};

const USERS: [&str; 6] = ["unknown", "guest", "reader", "writer", "both", "root"];

fn alarm(action: AlarmAction, kind: AlarmType) -> InternalRaftRequest {
    let alarm = Some(AlarmRequest {
        action: action as i32,
        member_id: 1,
        alarm: kind as i32,
    });
    InternalRaftRequest {
        alarm,
        ..InternalRaftRequest::default()
    }
}

fn delete_without_prev_kv(key: &str, end: &str) -> InternalRaftRequest {
    let delete_range = Some(DeleteRangeRequest {
        prev_kv: false,
        ..delete_request(key, end)
    });
    InternalRaftRequest {
        delete_range,
        ..InternalRaftRequest::default()
    }
}

fn put_and_tell(key: &str) -> PutRequest {
    PutRequest {
        prev_kv: true,
        ..put_request(key, "v")
    }
}

fn leased(key: &str, lease: i64) -> PutRequest {
    PutRequest {
        lease,
        ..put_request(key, "v")
    }
}

fn txn_of(request: Request) -> TxnRequest {
    TxnRequest {
        success: vec![op(request)],
        ..TxnRequest::default()
    }
}

/// In the branch that is not taken, two transactions deep.
fn buried(request: Request) -> TxnRequest {
    let never_taken = TxnRequest {
        failure: vec![op(request)],
        ..TxnRequest::default()
    };
    txn_of(Request::RequestTxn(txn_of(Request::RequestTxn(never_taken))))
}

fn comparing(key: &str, end: &str) -> TxnRequest {
    TxnRequest {
        compare: vec![Compare {
            key: bytes(key),
            range_end: bytes(end),
            ..Compare::default()
        }],
        ..TxnRequest::default()
    }
}

/// Those who may come last, because what they do is done.
fn only(fixture: &mut Fixture, request: &InternalRaftRequest, may: &[&str]) {
    let nobody = fixture.apply(request.clone()).answer;
    assert_eq!(nobody, refused(AuthError::UserEmpty), "{request:?}");
    for user in USERS {
        let answer = fixture.apply_by(user, request.clone());
        let denied = matches!(
            answer,
            Err(ApplyError::Auth(AuthError::PermissionDenied | AuthError::UserNotFound))
        );
        assert_eq!(denied, !may.contains(&user), "{user}: {request:?}: {answer:?}");
    }
}

#[test]
fn keys_are_written_by_who_may_write_and_told_to_who_may_read_them() {
    let everybody: &[&str] = &["root", "both", "writer", "reader", "guest"];
    let table: [(InternalRaftRequest, &[&str]); 11] = [
        (put("b", "v"), &["root", "both", "writer"]),
        (put("n", "v"), &["root"]),
        (put_with(put_and_tell("b")), &["root", "both"]),
        (
            put_with(PutRequest {
                ignore_value: true,
                ..put_request("n", "")
            }),
            &["root"],
        ),
        (delete_without_prev_kv("b", ""), &["root", "both", "writer"]),
        (delete_without_prev_kv("a", "n"), &["root", "both", "writer"]),
        (delete_without_prev_kv("a", "o"), &["root"]),
        (delete_without_prev_kv("a", "\0"), &["root"]),
        (delete("a", "n"), &["root", "both"]),
        (grant(1, 60), everybody),
        (alarm(AlarmAction::Get, AlarmType::None), everybody),
    ];
    let mut fixture = Fixture::guarded();
    for (request, may) in table {
        only(&mut fixture, &request, may);
    }
}

#[test]
fn what_concerns_everybody_is_for_administrators() {
    let requests = [
        enable(),
        disable(),
        user_add("u"),
        user_delete("guest"),
        change_password("guest", ""),
        grant_role("guest", "readers"),
        revoke_role("reader", "readers"),
        role_add("r"),
        role_delete("readers"),
        allow("readers", READ, "x", ""),
        revoke_permission("readers", "a", "n"),
    ];
    for request in requests {
        only(&mut Fixture::guarded(), &request, &["root"]);
    }
    let upkeep = [
        compact(1),
        alarm(AlarmAction::Activate, AlarmType::Nospace),
        alarm(AlarmAction::Deactivate, AlarmType::Nospace),
    ];
    let mut fixture = Fixture::guarded();
    for request in upkeep {
        let of_the_member = fixture.apply(request.clone()).answer;
        assert!(!matches!(of_the_member, Err(ApplyError::Auth(_))));
        for user in USERS {
            let answer = fixture.apply_by(user, request.clone());
            assert_eq!(
                matches!(answer, Err(ApplyError::Auth(_))),
                user != "root",
                "{user}: {request:?}"
            );
        }
    }
}

#[test]
fn what_members_say_of_themselves_is_nobodys() {
    let default = InternalRaftRequest::default;
    let requests = [
        InternalRaftRequest {
            lease_checkpoint: Some(LeaseCheckpointRequest::default()),
            ..default()
        },
        InternalRaftRequest {
            cluster_version_set: Some(ClusterVersionSetRequest::default()),
            ..default()
        },
        InternalRaftRequest {
            cluster_member_attr_set: Some(ClusterMemberAttrSetRequest::default()),
            ..default()
        },
        InternalRaftRequest {
            downgrade_info_set: Some(DowngradeInfoSetRequest::default()),
            ..default()
        },
        authenticate("guest"),
    ];
    for applied in Fixture::guarded().apply_all(&requests) {
        assert!(applied.answer.is_ok(), "{:?}", applied.answer);
    }
}

#[test]
fn every_part_of_a_transaction_is_looked_at_however_deep() {
    let delete = |key: &str, end: &str| DeleteRangeRequest {
        prev_kv: false,
        ..delete_request(key, end)
    };
    let table: [(Request, &[&str]); 8] = [
        (Request::RequestRange(range("a", "n")), &["root", "both", "reader"]),
        (Request::RequestRange(range("a", "o")), &["root"]),
        (Request::RequestPut(put_request("b", "v")), &["root", "both", "writer"]),
        (Request::RequestPut(put_and_tell("b")), &["root", "both"]),
        (Request::RequestPut(put_request("n", "v")), &["root"]),
        (
            Request::RequestDeleteRange(delete("b", "")),
            &["root", "both", "writer"],
        ),
        (Request::RequestDeleteRange(delete_request("b", "c")), &["root", "both"]),
        (Request::RequestTxn(comparing("b", "c")), &["root", "both", "reader"]),
    ];
    let mut fixture = Fixture::guarded();
    for (request, may) in table {
        for transaction in [txn_of(request.clone()), buried(request)] {
            for user in USERS {
                let looked_at_before = fixture.view().permit_txn(&fixture.caller(user), &transaction);
                assert_eq!(looked_at_before.is_ok(), may.contains(&user), "{user}: {transaction:?}");
            }
            only(&mut fixture, &txn(transaction), may);
        }
    }
    only(&mut fixture, &txn(comparing("a", "o")), &["root"]);
    let nobody = fixture.view().permit_txn(&Caller::default(), &TxnRequest::default());
    assert_eq!(nobody, Err(AuthError::UserEmpty));
}

/// Lease 1 is attached to what `writer` may write, lease 2 to a key beyond it too, lease 3 to none.
fn with_leases() -> Fixture {
    let mut fixture = Fixture::guarded();
    let requests = [grant(1, 60), grant(2, 60), grant(3, 60)];
    let puts = [leased("b", 1), leased("c", 2), leased("z", 2)].map(put_with);
    for request in requests.into_iter().chain(puts) {
        fixture.apply_by("root", request).expect("root may");
    }
    fixture
}

#[test]
fn a_lease_goes_with_who_may_write_all_that_goes_with_it() {
    let mut fixture = with_leases();
    for (user, lease, may) in [
        ("reader", 1, false),
        ("writer", 2, false),
        ("writer", 1, true),
        ("guest", 3, true),
        ("root", 2, true),
    ] {
        let (view, caller) = (fixture.view(), fixture.caller(user));
        assert_eq!(
            view.permit_lease(&caller, lease, true).is_ok(),
            may,
            "{user} before {lease}"
        );
        assert_eq!(
            fixture.apply_by(user, revoke(lease)).is_ok(),
            may,
            "{user} revokes {lease}"
        );
    }
    let mut fixture = with_leases();
    for lease in [1, 3] {
        assert_eq!(fixture.apply(revoke(lease)).answer, refused(AuthError::UserEmpty));
        let nobody = fixture.view().permit_lease(&Caller::default(), lease, false);
        assert!(matches!(nobody, Err(PermitError::Auth(AuthError::UserEmpty))));
    }
}

#[test]
fn what_expired_is_revoked_in_the_name_of_root_whatever_changed_since() {
    let mut fixture = with_leases();
    let expired = by(&Caller::root(1), revoke(2));
    assert!(fixture.apply(expired).answer.is_ok());
    assert!(fixture.view().lease_keys(2).unwrap().is_empty());
}

#[test]
fn keys_of_a_lease_are_told_to_who_may_read_them() {
    let fixture = with_leases();
    for (user, lease, may) in [
        ("reader", 1, true),
        ("reader", 2, false),
        ("writer", 1, false),
        ("root", 2, true),
    ] {
        let told = fixture.view().permit_lease(&fixture.caller(user), lease, false);
        assert_eq!(told.is_ok(), may, "{user} {lease}");
    }
}

#[test]
fn a_key_is_attached_only_to_a_lease_that_could_be_revoked() {
    let attach = |lease| {
        let put = leased("d", lease);
        let nested = txn(buried(Request::RequestPut(put.clone())));
        [put_with(put), nested]
    };
    let mut fixture = with_leases();
    for request in attach(2) {
        assert_eq!(
            fixture.apply_by("writer", request),
            refused(AuthError::PermissionDenied)
        );
    }
    for request in attach(1).into_iter().chain(attach(3)) {
        assert!(fixture.apply_by("writer", request).is_ok());
    }
}

#[test]
fn who_was_authenticated_before_the_last_change_is_refused() {
    let mut fixture = with_leases();
    let late = fixture.caller("both");
    fixture.apply_by("root", user_add("another")).unwrap();
    let requests = [
        put("b", "v"),
        delete("b", ""),
        txn(comparing("b", "")),
        grant(9, 60),
        revoke(1),
        revoke(3),
    ];
    for request in requests {
        assert_eq!(
            fixture.apply(by(&late, request)).answer,
            refused(AuthError::OldRevision)
        );
    }
    assert_eq!(fixture.view().auth().permit_user(&late), Err(AuthError::OldRevision));
    assert_eq!(fixture.view().auth().permit_user(&fixture.caller("both")), Ok(()));
    assert_eq!(
        fixture.view().auth().permit_user(&fixture.caller("gone")),
        Err(AuthError::PermissionDenied)
    );
    assert_eq!(
        fixture.view().auth().permit_user(&Caller::default()),
        Err(AuthError::UserEmpty)
    );
}

#[test]
fn an_alarm_is_told_to_everybody_before_permissions_are_asked() {
    let mut fixture = with_leases();
    fixture.apply(alarm(AlarmAction::Activate, AlarmType::Nospace));
    assert_eq!(fixture.apply_by("guest", put("b", "v")), Err(NoSpace.into()));
    assert_eq!(
        fixture.apply_by("guest", delete("b", "")),
        refused(AuthError::PermissionDenied)
    );
    assert_eq!(
        fixture.apply_by("guest", disable()),
        refused(AuthError::PermissionDenied)
    );
    fixture.apply(alarm(AlarmAction::Activate, AlarmType::Corrupt));
    for request in [
        put("b", "v"),
        delete("b", ""),
        compact(1),
        revoke(1),
        txn(comparing("b", "")),
    ] {
        assert_eq!(fixture.apply_by("guest", request), Err(Corrupt.into()));
    }
    assert_eq!(
        fixture.apply_by("guest", user_add("u")),
        refused(AuthError::PermissionDenied)
    );
    for request in [user_add("u"), authenticate("reader"), disable()] {
        assert!(
            fixture.apply_by("root", request).is_ok(),
            "whoever looks at it must be let in"
        );
    }
}

#[test]
fn while_access_control_is_off_everybody_may() {
    let mut fixture = with_leases();
    fixture.apply_by("root", disable()).unwrap();
    for request in [
        put("z", "v"),
        put_with(leased("d", 2)),
        revoke(2),
        user_add("u"),
        compact(2),
    ] {
        assert!(fixture.apply(request).answer.is_ok());
    }
    let (view, nobody) = (fixture.view(), Caller::default());
    assert_eq!(view.auth().permit_admin(&nobody), Ok(()));
    assert_eq!(view.auth().permit_user(&nobody), Ok(()));
    assert_eq!(view.permit_range(&nobody, &range("a", "\0")), Ok(()));
    assert!(view.permit_lease(&nobody, 1, true).is_ok());
}
