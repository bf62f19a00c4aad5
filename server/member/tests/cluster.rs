//! What a single member does of what members do among each other.

mod common;

use std::time::Duration;

use common::{NOBODY, member};
use taffrail_member::{CorruptionChecks, DowngradeError, MemberError, MoveLeaderError};
use taffrail_proto::etcdserverpb::{CompactionRequest, LeaseGrantRequest};

async fn until(mut condition: impl FnMut() -> bool) {
    let met = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), met)
        .await
        .expect("the condition came true");
}

#[tokio::test]
async fn a_cluster_speaks_its_members_version_before_it_serves() {
    let m = member(|_| {}).await;
    assert_eq!(m.member.view().cluster_version().as_deref(), Some("3.6.0"));
}

#[tokio::test]
async fn one_downgrade_at_a_time() {
    let m = member(|_| {}).await;
    assert_eq!(m.member.validate_downgrade("3.5").await.expect("possible"), "3.6.0");
    let refused = m.member.enable_downgrade("3.4").await;
    assert!(matches!(refused, Err(DowngradeError::InvalidTarget)));
    m.member.enable_downgrade("3.5.0").await.expect("begun");
    assert!(m.member.status().downgrade.enabled);
    let refused = m.member.validate_downgrade("3.5").await;
    assert!(matches!(refused, Err(DowngradeError::InProcess)));
    m.member.cancel_downgrade().await.expect("called off");
    m.member.cancel_downgrade().await.expect("nothing to call off is fine");
    assert!(!m.member.status().downgrade.enabled);
}

#[tokio::test]
async fn a_downgrade_lowers_the_version_and_ends_when_every_member_runs_it() {
    let m = member(|config| config.downgrade_check_interval = Some(Duration::from_millis(20))).await;
    m.member.enable_downgrade("3.5").await.expect("begun");
    until(|| m.member.view().cluster_version().as_deref() == Some("3.5.0")).await;
    assert!(m.member.status().downgrade.enabled, "this member still runs 3.6");
}

#[tokio::test]
async fn what_is_left_of_a_lease_is_replicated_until_it_is_renewed() {
    let m = member(|config| config.lease_checkpoint_interval = Some(Duration::from_secs(1))).await;
    let grant = LeaseGrantRequest { ttl: 100, id: 5 };
    m.member.grant(&NOBODY, grant).await.expect("granted");
    let left_s = || m.member.view().lease(5).expect("read").expect("there").remaining_ttl_s;
    until(|| left_s() > 0).await;
    assert!(left_s() <= 99, "{}", left_s());
    assert_eq!(m.member.keep_alive(&NOBODY, 5).await.expect("kept"), 100);
    assert_eq!(left_s(), 0);
}

#[tokio::test]
async fn the_last_member_stays_and_leads() {
    let m = member(|_| {}).await;
    let own = m.member.config().member_id;
    m.member.move_leader(own).await.expect("it leads already");
    let stranger = m.member.move_leader(9).await;
    assert!(matches!(stranger, Err(MoveLeaderError::BadTransferee(9))));
    assert!(!m.member.is_learner());
}

#[tokio::test]
async fn a_change_that_the_leader_cannot_make_ends_as_a_timeout() {
    let m = member(|config| config.request_timeout = Duration::from_millis(200)).await;
    let refused = m.member.promote_member(9).await;
    assert!(
        matches!(refused, Err(MemberError::TimedOut(_) | MemberError::NotFound(9))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_member_alone_agrees_with_itself() {
    let every = Some(Duration::from_millis(20));
    let checks = CorruptionChecks {
        everything: every,
        compactions: every,
    };
    let m = member(|config| config.corruption_checks = checks).await;
    let revision = m.put("k", "v").await;
    m.put("k", "w").await;
    let compaction = CompactionRequest {
        revision,
        physical: true,
    };
    m.member.compact(&NOBODY, compaction).await.expect("compacted");
    m.member.check_initially().await.expect("nobody differs");
    assert!(m.member.view().alarms().is_empty());
}
