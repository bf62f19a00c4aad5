//! What an alarm forbids, and what it does not.

mod common;

use common::*;
use taffrail_proto::etcdserverpb::alarm_request::AlarmAction;
use taffrail_proto::etcdserverpb::request_op::Request;
use taffrail_proto::etcdserverpb::{AlarmMember, AlarmRequest, AlarmType, InternalRaftRequest, TxnRequest};
use taffrail_proto::membershippb::{Attributes, ClusterMemberAttrSetRequest};
use taffrail_store::{ApplyError, Corrupt, NoSpace, Response};

fn alarm(action: i32, member_id: u64, alarm: AlarmType) -> InternalRaftRequest {
    let alarm = Some(AlarmRequest {
        action,
        member_id,
        alarm: alarm as i32,
    });
    InternalRaftRequest {
        alarm,
        ..InternalRaftRequest::default()
    }
}

fn raise(fixture: &mut Fixture, member: u64, kind: AlarmType) {
    fixture
        .apply(alarm(AlarmAction::Activate as i32, member, kind))
        .answer
        .expect("alarms are always accepted");
}

fn reported(fixture: &mut Fixture, request: InternalRaftRequest) -> Vec<AlarmMember> {
    match fixture.apply(request).answer {
        Ok(Response::Alarm(response)) => response.alarms,
        other => panic!("{other:?}"),
    }
}

fn nested_put() -> InternalRaftRequest {
    let inner = TxnRequest {
        failure: vec![op(Request::RequestPut(put_request("k", "v")))],
        ..TxnRequest::default()
    };
    let success = vec![op(Request::RequestTxn(inner))];
    txn(TxnRequest {
        success,
        ..TxnRequest::default()
    })
}

#[test]
fn without_space_nothing_that_grows_is_applied_and_the_rest_is() {
    let mut fixture = Fixture::new();
    fixture.put("k", "v");
    raise(&mut fixture, 1, AlarmType::Nospace);
    for refused in [put("k", "w"), grant(1, 10), nested_put()] {
        assert_eq!(fixture.apply(refused).answer, Err(ApplyError::NoSpace(NoSpace)));
    }
    for accepted in [delete("k", ""), compact(2), txn(TxnRequest::default())] {
        assert!(fixture.apply(accepted).answer.is_ok());
    }
    let mut fixture = fixture.reopen();
    assert!(fixture.put("k", "w").answer.is_err(), "the alarm outlives a restart");
    fixture
        .apply(alarm(AlarmAction::Deactivate as i32, 1, AlarmType::Nospace))
        .answer
        .unwrap();
    assert!(fixture.put("k", "w").answer.is_ok());
}

#[test]
fn a_corrupt_cluster_changes_no_data() {
    let mut fixture = Fixture::new();
    raise(&mut fixture, 1, AlarmType::Nospace);
    raise(&mut fixture, 2, AlarmType::Corrupt);
    for refused in [
        put("k", "w"),
        delete("k", ""),
        compact(1),
        grant(1, 10),
        revoke(1),
        txn(TxnRequest::default()),
    ] {
        assert_eq!(fixture.apply(refused).answer, Err(ApplyError::Corrupt(Corrupt)));
    }
    let member_attributes = Some(Attributes {
        name: "m".into(),
        ..Attributes::default()
    });
    let set = Some(ClusterMemberAttrSetRequest {
        member_id: 1,
        member_attributes,
    });
    let publish = InternalRaftRequest {
        cluster_member_attr_set: set,
        ..InternalRaftRequest::default()
    };
    assert!(fixture.apply(publish).answer.is_ok());
    assert_eq!(
        fixture
            .reopen()
            .view()
            .member_attributes(1)
            .map(|attributes| attributes.name),
        Some("m".into())
    );
}

#[test]
fn alarms_are_listed_by_type_and_taken_back_exactly() {
    let mut fixture = Fixture::new();
    raise(&mut fixture, 2, AlarmType::Nospace);
    raise(&mut fixture, 1, AlarmType::Nospace);
    let get = |kind| alarm(AlarmAction::Get as i32, 99, kind);
    let nospace = |member_id| AlarmMember {
        member_id,
        alarm: AlarmType::Nospace as i32,
    };
    assert_eq!(reported(&mut fixture, get(AlarmType::None)), [nospace(1), nospace(2)]);
    assert_eq!(reported(&mut fixture, get(AlarmType::Corrupt)), []);
    let other = alarm(AlarmAction::Deactivate as i32, 3, AlarmType::Nospace);
    assert_eq!(reported(&mut fixture, other), []);
    let exact = alarm(AlarmAction::Deactivate as i32, 2, AlarmType::Nospace);
    assert_eq!(reported(&mut fixture, exact), [nospace(2)]);
    assert_eq!(fixture.view().alarms(), [nospace(1)]);
}

#[test]
fn an_unknown_action_or_no_alarm_does_nothing() {
    let mut fixture = Fixture::new();
    assert_eq!(reported(&mut fixture, alarm(9, 1, AlarmType::Nospace)), []);
    assert_eq!(
        reported(&mut fixture, alarm(AlarmAction::Activate as i32, 1, AlarmType::None)),
        []
    );
    assert!(fixture.view().alarms().is_empty());
}
