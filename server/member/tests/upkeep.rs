//! Leases end, quotas hold, alarms heal.

mod common;

use std::time::Duration;

use common::{Living, NOBODY, member};
use taffrail_member::{LeaseError, WriteError};
use taffrail_proto::etcdserverpb::{
    CompactionRequest, LeaseGrantRequest, LeaseRevokeRequest, PutRequest, RangeRequest,
};
use tokio::time::Instant;

async fn count(m: &Living, key: &'static str) -> i64 {
    let range = RangeRequest {
        key: key.into(),
        ..Default::default()
    };
    m.member.range(&NOBODY, range).await.expect("range").count
}

async fn attach(m: &Living, key: &'static str, lease: i64) {
    m.member
        .put(
            &NOBODY,
            PutRequest {
                key: key.into(),
                lease,
                ..Default::default()
            },
        )
        .await
        .expect("put");
}

async fn until(mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(Instant::now() < deadline, "the condition did not come true");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_lease_ends_with_its_keys_and_not_before_its_time() {
    let m = member(|_| {}).await;
    let started = Instant::now();
    let grant = m
        .member
        .grant(&NOBODY, LeaseGrantRequest { ttl: 1, id: 0 })
        .await
        .expect("granted");
    attach(&m, "k", grant.id).await;
    assert_eq!(
        m.member
            .time_to_live(&NOBODY, grant.id, true)
            .await
            .expect("there")
            .keys,
        ["k"]
    );
    until(async || count(&m, "k").await == 0).await;
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(
        m.member
            .time_to_live(&NOBODY, grant.id, false)
            .await
            .expect("answered")
            .remaining_s,
        -1
    );
    assert_eq!(m.member.keep_alive(&NOBODY, grant.id).await.expect("answered"), 0);
}

#[tokio::test]
async fn wrong_ids_and_ttls_have_their_errors() {
    let m = member(|_| {}).await;
    let grant = |ttl, id| m.member.grant(&NOBODY, LeaseGrantRequest { ttl, id });
    assert!(matches!(grant(9_000_000_001, 0).await, Err(LeaseError::TtlTooLarge(_))));
    assert_eq!(grant(-5, 3).await.expect("raised to the minimum").ttl, 1);
    assert!(matches!(
        grant(10, 3).await,
        Err(LeaseError::Write(WriteError::Refused(_)))
    ));
    assert!(m.member.revoke(&NOBODY, LeaseRevokeRequest { id: 4 }).await.is_err());
    m.member
        .revoke(&NOBODY, LeaseRevokeRequest { id: 3 })
        .await
        .expect("revoked");
}

#[tokio::test]
async fn the_quota_turns_writes_away_and_heals_when_space_is_back() {
    let m = member(|config| config.quota_bytes = Some(20_000)).await;
    let put = || PutRequest {
        key: "k".into(),
        value: vec![0; 1_000].into(),
        ..Default::default()
    };
    let refused = loop {
        if let Err(error) = m.member.put(&NOBODY, put()).await {
            break error;
        }
    };
    assert!(matches!(refused, WriteError::NoSpace));
    assert_eq!(m.member.status().alarms.len(), 1);
    let revision = m.member.view().revision();
    m.member
        .compact(
            &NOBODY,
            CompactionRequest {
                revision,
                physical: true,
            },
        )
        .await
        .expect("compaction needs no space");
    until(async || m.member.status().alarms.is_empty()).await;
    m.member.put(&NOBODY, put()).await.expect("there is room again");
}

#[tokio::test(start_paused = true)]
async fn an_alarm_stays_while_nothing_has_gone() {
    let m = member(|config| config.quota_bytes = Some(20_000)).await;
    let large = PutRequest {
        key: "k".into(),
        value: vec![0; 30_000].into(),
        ..Default::default()
    };
    assert!(matches!(m.member.put(&NOBODY, large).await, Err(WriteError::NoSpace)));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(
        m.member.status().alarms.len(),
        1,
        "nearly all is free, but it was so before"
    );
}

#[tokio::test]
async fn a_request_too_large_is_not_proposed() {
    let m = member(|config| config.limits.request_bytes_max = 100).await;
    let put = PutRequest {
        key: "k".into(),
        value: vec![0; 200].into(),
        ..Default::default()
    };
    assert!(matches!(
        m.member.put(&NOBODY, put).await,
        Err(WriteError::TooLarge { max: 100, .. })
    ));
    assert_eq!(count(&m, "k").await, 0);
}
