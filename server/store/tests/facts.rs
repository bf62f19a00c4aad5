//! What the cluster knows about itself: it comes by the log, survives, and is the same after a transfer.

mod common;

use common::*;
use taffrail_proto::etcdserverpb::{InternalRaftRequest, LeaseCheckpoint, LeaseCheckpointRequest};
use taffrail_proto::membershippb::{
    Attributes, ClusterMemberAttrSetRequest, ClusterVersionSetRequest, DowngradeInfoSetRequest,
};
use taffrail_store::{Lease, Response};

fn publish(name: &str, incarnation: u64) -> InternalRaftRequest {
    let member_attributes = Some(Attributes {
        name: name.into(),
        client_urls: vec![format!("http://{name}:2379")],
        incarnation,
    });
    InternalRaftRequest {
        cluster_member_attr_set: Some(ClusterMemberAttrSetRequest {
            member_id: 5,
            member_attributes,
        }),
        ..InternalRaftRequest::default()
    }
}

fn version(ver: &str) -> InternalRaftRequest {
    InternalRaftRequest {
        cluster_version_set: Some(ClusterVersionSetRequest { ver: ver.into() }),
        ..InternalRaftRequest::default()
    }
}

fn downgrade(enabled: bool, ver: &str) -> InternalRaftRequest {
    InternalRaftRequest {
        downgrade_info_set: Some(DowngradeInfoSetRequest {
            enabled,
            ver: ver.into(),
        }),
        ..InternalRaftRequest::default()
    }
}

fn checkpoint(remaining: &[(i64, i64)]) -> InternalRaftRequest {
    let checkpoints = remaining
        .iter()
        .map(|&(id, remaining_ttl)| LeaseCheckpoint { id, remaining_ttl })
        .collect();
    InternalRaftRequest {
        lease_checkpoint: Some(LeaseCheckpointRequest { checkpoints }),
        ..InternalRaftRequest::default()
    }
}

/// The same state where it came over, where it was opened again, and where it is.
fn everywhere(mut fixture: Fixture, check: impl Fn(&Fixture)) -> Fixture {
    check(&fixture);
    let mut other = Fixture::new();
    transfer(&fixture.view(), &other.store, &mut other.applier);
    check(&other);
    fixture = fixture.reopen();
    check(&fixture);
    fixture
}

#[test]
fn the_first_incarnation_stays_whatever_is_told_later() {
    let mut fixture = Fixture::new();
    for (name, told, kept) in [("a", 0, 0), ("b", 77, 77), ("c", 78, 77), ("d", 0, 77), ("e", 77, 77)] {
        fixture.apply(publish(name, told));
        fixture = everywhere(fixture, |fixture| {
            let attributes = fixture.view().member_attributes(5).unwrap();
            assert_eq!((&attributes.name[..], attributes.incarnation), (name, kept));
            assert_eq!(attributes.client_urls, [format!("http://{name}:2379")]);
        });
    }
    assert!(fixture.view().member_attributes(6).is_none());
}

#[test]
fn the_last_version_and_the_last_downgrade_count() {
    let mut fixture = Fixture::new();
    for requests in [
        [version("3.5.0"), downgrade(true, "3.5.0")],
        [version("3.6.0"), downgrade(false, "")],
    ] {
        let applied = fixture.apply_all(&requests);
        assert!(applied.iter().all(|applied| applied.answer == Ok(Response::Nothing)));
        fixture = everywhere(fixture, |fixture| {
            let view = fixture.view();
            assert_eq!(
                view.cluster_version(),
                requests[0].cluster_version_set.clone().map(|set| set.ver)
            );
            assert_eq!(view.downgrade_info(), requests[1].downgrade_info_set);
            assert_eq!(view.revision(), 1, "no key has changed");
        });
    }
}

#[test]
fn what_was_left_of_a_lease_stays_until_it_is_granted_anew() {
    let mut fixture = Fixture::new();
    fixture.apply_all(&[grant(1, 60), grant(2, 90)]);
    let told = fixture.apply(checkpoint(&[(9, 5), (1, 20), (2, 30), (2, 0)]));
    assert_eq!(told.answer, Ok(Response::LeaseCheckpoint));
    let lease = |id, ttl_s, remaining_ttl_s| Lease {
        id,
        ttl_s,
        remaining_ttl_s,
    };
    let mut fixture = everywhere(fixture, |fixture| {
        assert_eq!(fixture.view().leases().unwrap(), [lease(1, 60, 20), lease(2, 90, 0)]);
    });
    fixture.apply_all(&[revoke(1), grant(1, 10)]);
    everywhere(fixture, |fixture| {
        assert_eq!(fixture.view().lease(1).unwrap(), Some(lease(1, 10, 0)));
    });
}
