//! Members that come in.

use taffrail_e2e::cluster::Plain;
use taffrail_e2e::requests::put;
use taffrail_e2e::wait;
use taffrail_proto::etcdserverpb::MoveLeaderRequest;
use tonic::Code;

use crate::changes::{add, join, promote, remove, update};
use taffrail_e2e::calls::assert_refused;

#[tokio::test]
async fn a_voter_that_is_not_started_costs_no_quorum() {
    let mut cluster = Plain::of(1).spare(2).start().await;
    let url = cluster.peer_url(1);
    let added = add(cluster.client(0), &[&url], false).await.unwrap();
    assert_eq!((added.name.as_str(), added.is_learner), ("", false));
    cluster.client(0).put(put("k", "alone")).await;
    let further = cluster.peer_url(2);
    let text = "re-configuration failed due to not enough started members";
    assert_refused(add(cluster.client(0), &[&further], false).await, Code::Unknown, text);

    cluster.joins(1, &[0]);
    cluster.run_until_up(1).await;
    let target_id = added.id;
    wait::until("the new member to vote, so that it may lead", async || {
        let mut leader = cluster.client(0).maintenance();
        leader.move_leader(MoveLeaderRequest { target_id }).await.ok()
    })
    .await;
    cluster.client(0).put(put("k", "both")).await;
    cluster.kill_nine(1);
    let alone = cluster.client(0).kv().put(put("k", "nobody hears")).await;
    assert!(alone.is_err(), "a second voter that is gone must be missed");
}

#[tokio::test]
async fn three_members_grow_to_four_with_every_rule_in_force() {
    let mut cluster = Plain::of(3).spare(1).start().await;
    let (leader, followers) = cluster.roles().await;
    cluster.client(leader).put(put("k", "v")).await;
    join(&mut cluster, followers[0], 3, false).await;
    wait::until("the new member to serve", async || {
        cluster.client(3).kv().put(put("k", "w")).await.ok()
    })
    .await;
    assert_eq!(cluster.client(leader).text("k").await.as_deref(), Some("w"));
    let listed = cluster.client(followers[1]).members().await;
    assert_eq!(listed.iter().filter(|member| !member.name.is_empty()).count(), 4);
}

#[tokio::test]
async fn a_wrong_list_of_members_is_refused() {
    let mut cluster = Plain::of(1).spare(2).start().await;
    let url = cluster.peer_url(1);
    add(cluster.client(0), &[&url], false).await.unwrap();
    cluster.joins(1, &[0, 2]);
    let unequal = cluster.run_in_vain(1).await;
    assert_ne!(unequal.code, Some(0));
    let text = "member count is unequal";
    assert!(
        unequal.log.contains("error validating peerURLs") && unequal.log.contains(text),
        "{}",
        unequal.log
    );

    cluster.joins(2, &[0]);
    let unknown = cluster.run_in_vain(2).await;
    assert_ne!(unknown.code, Some(0));
    let text = "no match found for existing member";
    assert!(
        unknown.log.contains("error validating peerURLs") && unknown.log.contains(text),
        "{}",
        unknown.log
    );
}

#[tokio::test]
async fn a_member_that_lost_its_data_may_not_begin_anew() {
    let mut cluster = Plain::three().await;
    cluster.client(0).put(put("k", "v")).await;
    let (_, followers) = cluster.roles().await;
    let lost = followers[0];
    cluster.kill_nine(lost);
    cluster.wipe(lost).unwrap();
    let exit = cluster.run_in_vain(lost).await;
    assert_ne!(exit.code, Some(0));
    assert!(exit.log.contains("has already been bootstrapped"), "{}", exit.log);
    let (leader, _) = cluster.roles().await;
    cluster.client(leader).put(put("k", "w")).await;
    assert_eq!(cluster.client(followers[1]).text("k").await.as_deref(), Some("w"));
}

#[tokio::test]
async fn changes_that_make_no_sense_are_refused_at_every_member() {
    let cluster = Plain::of(3).arg("--strict-reconfig-check=false").start().await;
    let (taken, own) = (cluster.peer_url(1), cluster.client(0).member_id().await);
    for member in 0..3 {
        let client = cluster.client(member);
        let exists = add(client, &[&taken], false).await;
        assert_refused(exists, Code::FailedPrecondition, "Peer URLs already exists");
        assert_refused(
            update(client, own, &taken).await,
            Code::FailedPrecondition,
            "Peer URLs already exists",
        );
        let bad = add(client, &["not a url"], false).await;
        assert_refused(bad, Code::InvalidArgument, "given member URLs are invalid");
        for unknown in [
            promote(client, 1).await,
            remove(client, 1).await,
            update(client, 1, "http://127.0.0.1:1").await,
        ] {
            assert_refused(unknown, Code::NotFound, "member not found");
        }
        let voter = promote(client, own).await;
        assert_refused(voter, Code::FailedPrecondition, "can only promote a learner member");
    }
}
