//! Leaders that hand over.

use std::time::{Duration, Instant};

use taffrail_e2e::cluster::Plain;
use taffrail_e2e::requests::put;
use taffrail_e2e::{http, wait};
use taffrail_proto::etcdserverpb::MoveLeaderRequest;
use tonic::Code;

use crate::changes::add;
use taffrail_e2e::calls::assert_refused;

/// How long a cluster may be without leader if the old one says good-bye.
const HANDOVER: Duration = Duration::from_millis(500);
const POLL: Duration = Duration::from_millis(5);

#[tokio::test]
async fn a_leader_asked_to_stop_hands_over_first() {
    let mut cluster = Plain::three().await;
    let (leader, followers) = cluster.roles().await;
    let witness = cluster.client(followers[0]).clone();
    let before = witness.status().await;
    let asked = Instant::now();
    let (ended, taken) = tokio::join!(cluster.terminate(leader), async {
        loop {
            let now = witness.status().await;
            if now.leader != 0 && now.leader != before.leader {
                break (asked.elapsed(), now.raft_term);
            }
            tokio::time::sleep(POLL).await;
        }
    });
    let (took, term) = taken;
    assert!(took < HANDOVER, "another led only after {took:?}");
    assert_eq!(term, before.raft_term + 1, "one election was enough");
    assert_eq!(ended.expect("it ends in time").status.code(), Some(0));
    witness.put(put("k", "v")).await;
}

#[tokio::test]
async fn leadership_moves_to_whom_it_is_given() {
    let cluster = Plain::of(3).arg("--strict-reconfig-check=false").start().await;
    let (leader, followers) = cluster.roles().await;
    let target_id = cluster.client(followers[0]).member_id().await;
    let request = MoveLeaderRequest { target_id };
    let term = cluster.client(leader).status().await.raft_term;
    let elsewhere = cluster.client(followers[1]).maintenance().move_leader(request).await;
    assert_refused(elsewhere, Code::FailedPrecondition, "not leader");
    let learner = add(cluster.client(leader), &["http://127.0.0.1:1"], true)
        .await
        .unwrap();
    for id in [1, learner.id] {
        let nobody = MoveLeaderRequest { target_id: id };
        let refused = cluster.client(leader).maintenance().move_leader(nobody).await;
        assert_refused(refused, Code::FailedPrecondition, "bad leader transferee");
    }

    cluster.client(leader).maintenance().move_leader(request).await.unwrap();
    for member in 0..3 {
        wait::until("everyone to follow the new leader", async || {
            let status = cluster.client(member).status().await;
            (status.leader == target_id).then(|| assert_eq!(status.raft_term, term + 1))
        })
        .await;
    }
    cluster.client(leader).put(put("k", "v")).await;
}

#[tokio::test]
async fn metrics_tell_who_leads_and_how_often_that_changed() {
    let cluster = Plain::three().await;
    let (leader, followers) = cluster.roles().await;
    let before = number(&cluster, leader, "etcd_server_leader_changes_seen_total").await;
    assert_eq!(number(&cluster, leader, "etcd_server_is_leader").await, 1);
    for &member in followers.iter().chain([&leader]) {
        assert_eq!(number(&cluster, member, "etcd_server_has_leader").await, 1);
    }
    assert_eq!(number(&cluster, followers[0], "etcd_server_is_leader").await, 0);

    let target_id = cluster.client(followers[0]).member_id().await;
    let request = MoveLeaderRequest { target_id };
    cluster.client(leader).maintenance().move_leader(request).await.unwrap();
    wait::until("metrics to follow", async || {
        let leads = number(&cluster, followers[0], "etcd_server_is_leader").await;
        let led = number(&cluster, leader, "etcd_server_is_leader").await;
        ((leads, led) == (1, 0)).then_some(())
    })
    .await;
    let after = number(&cluster, leader, "etcd_server_leader_changes_seen_total").await;
    assert!(after > before, "{after} changes after {before}");
}

async fn number(cluster: &Plain, member: usize, metric: &str) -> i64 {
    let page = http::get(&cluster.client(member).address(), "/metrics").await.body;
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
    let told = line.unwrap_or_else(|| panic!("{metric} is told"));
    told.parse().expect("a metric is a number")
}
