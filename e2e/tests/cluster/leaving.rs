//! Members that go for good.

use taffrail_e2e::cluster::Plain;
use taffrail_e2e::requests::put;
use taffrail_e2e::wait;
use tonic::Code;

use crate::changes::{remove, update};
use taffrail_e2e::calls::assert_refused;

const GONE: &str = "the member has been permanently removed from the cluster";

async fn three() -> Plain {
    // Else a change has to wait until members have been in touch for five seconds.
    Plain::of(3).arg("--strict-reconfig-check=false").start().await
}

/// The process of a removed member ends without complaint, and no start brings it back.
async fn ends_for_good(cluster: &mut Plain, member: usize) {
    let exit = cluster.exit(member).await;
    assert!(exit.log.contains(GONE), "{}", exit.log);
    assert_eq!(exit.code, Some(0), "{}", exit.log);
    let again = cluster.run_in_vain(member).await;
    assert_ne!(again.code, Some(0));
    assert!(again.log.contains(GONE), "{}", again.log);
}

async fn the_rest_serves(cluster: &Plain, rest: &[usize]) {
    for &member in rest {
        wait::until("the rest to serve", async || {
            cluster.client(member).kv().put(put("k", "after")).await.ok()
        })
        .await;
        assert_eq!(cluster.client(member).members().await.len(), rest.len());
    }
}

#[tokio::test]
async fn a_follower_that_is_removed_ends_and_stays_away() {
    let mut cluster = three().await;
    let (leader, followers) = cluster.roles().await;
    let id = cluster.client(followers[0]).member_id().await;
    let left = remove(cluster.client(leader), id).await.unwrap();
    assert!(left.iter().all(|member| member.id != id) && left.len() == 2);
    ends_for_good(&mut cluster, followers[0]).await;
    the_rest_serves(&cluster, &[leader, followers[1]]).await;
    let again = remove(cluster.client(leader), id).await;
    assert_refused(again, Code::NotFound, "member not found");
}

#[tokio::test]
async fn a_leader_that_is_removed_by_another_hands_over_and_ends() {
    let mut cluster = three().await;
    let (leader, followers) = cluster.roles().await;
    let id = cluster.client(leader).member_id().await;
    remove(cluster.client(followers[0]), id).await.unwrap();
    ends_for_good(&mut cluster, leader).await;
    the_rest_serves(&cluster, &followers).await;
}

#[tokio::test]
async fn a_member_may_remove_itself() {
    let mut cluster = three().await;
    let (leader, followers) = cluster.roles().await;
    for own in [followers[0], leader] {
        let id = cluster.client(own).member_id().await;
        let left = remove(cluster.client(own), id).await.unwrap();
        assert!(left.iter().all(|member| member.id != id));
        ends_for_good(&mut cluster, own).await;
    }
    the_rest_serves(&cluster, &followers[1..]).await;
}

#[tokio::test]
async fn a_member_that_was_away_learns_of_its_removal_when_it_comes_back() {
    let mut cluster = three().await;
    let (leader, followers) = cluster.roles().await;
    let id = cluster.client(followers[0]).member_id().await;
    cluster.kill_nine(followers[0]);
    remove(cluster.client(leader), id).await.unwrap();
    the_rest_serves(&cluster, &[leader, followers[1]]).await;
    cluster.run(followers[0]);
    ends_for_good(&mut cluster, followers[0]).await;
}

#[tokio::test]
async fn a_member_gets_another_address_by_an_update() {
    let cluster = three().await;
    let (leader, followers) = cluster.roles().await;
    let id = cluster.client(followers[0]).member_id().await;
    let url = "http://127.0.0.1:1";
    update(cluster.client(leader), id, url).await.unwrap();
    for member in [leader, followers[1]] {
        let listed = cluster.client(member).members().await;
        let updated = listed.iter().find(|listed| listed.id == id).unwrap();
        assert_eq!(
            (updated.peer_ur_ls.as_slice(), updated.is_learner),
            (&[url.to_owned()][..], false)
        );
        assert!(!updated.name.is_empty());
    }
}
