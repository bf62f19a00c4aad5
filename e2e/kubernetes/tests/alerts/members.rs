//! Members that are slow, stopped or lost.

use std::time::Duration;

use futures::future::join_all;
use taffrail_e2e::requests;
use taffrail_e2e_kubernetes::Cluster;
use taffrail_e2e_kubernetes::bulk::client;
use taffrail_proto::etcdserverpb::AlarmType;

use crate::raised::Raised;

const CLIENTS: usize = 1_500;
/// One flush of a hundred has to be slow: on a fast disk there are hundreds within a few of these.
const SHORT: Duration = Duration::from_millis(10);

pub async fn are_in_trouble(raised: &Raised, three: &Cluster, small: &Cluster, stock: &Cluster) {
    is_corrupt(raised, small).await;
    for _ in 0..6 {
        lose_leadership(three).await;
    }
    raised
        .by("others lead again and again", &["etcdHighNumberOfLeaderChanges"])
        .await;
    let slow = [
        "etcdGRPCRequestsSlow",
        "etcdHighFsyncDurations",
        "etcdHighCommitDurations",
    ];
    let leader = stock.leader().await;
    tokio::select! {
        () = stumbles(stock, &leader, Duration::from_millis(1_300)) => {}
        () = writes(stock) => {}
        () = raised.by("a machine that stands still now and then", &slow) => {}
    }
    stock.signal(&leader, "CONT").await.expect("it is there");
    let follower = three.follower().await;
    tokio::select! {
        () = stumbles(three, &follower, Duration::from_millis(400)) => {}
        () = raised.by("a follower stands still now and then", &["etcdMemberCommunicationSlow"]) => {}
    }
    raised.by("a member does not answer", &["etcdMembersDown"]).await;
    three.signal(&follower, "CONT").await.expect("it is there");
    three.settles().await;
    quorum_is_lost(raised, three).await;
}

/// What a person does with `etcdctl move-leader`, by stopping the leader.
async fn lose_leadership(cluster: &Cluster) {
    let leader = cluster.leader().await;
    cluster.signal(&leader, "STOP").await.expect("it is there");
    cluster
        .reaches("another leads", |_, status| {
            status.leader.as_ref().is_some_and(|name| *name != leader)
        })
        .await;
    cluster.signal(&leader, "CONT").await.expect("it is there");
}

async fn stumbles(cluster: &Cluster, member: &str, span: Duration) {
    loop {
        cluster.signal(member, "STOP").await.expect("it is there");
        tokio::time::sleep(span).await;
        cluster.signal(member, "CONT").await.expect("it is there");
        tokio::time::sleep(SHORT).await;
    }
}

async fn writes(cluster: &Cluster) {
    let client = client(cluster).await;
    let write = async || loop {
        drop(client.kv().put(requests::put("busy", "value")).await);
    };
    join_all((0..4).map(|_| write())).await;
}

async fn quorum_is_lost(raised: &Raised, three: &Cluster) {
    let survivor = three.leader().await;
    let client = client(three).await;
    let names = three.names().await;
    let others: Vec<&String> = names.iter().filter(|name| **name != survivor).collect();
    let objects = others
        .iter()
        .flat_map(|name| [format!("pvc/data-{name}"), format!("pod/{name}")]);
    let objects: Vec<String> = objects.collect();
    let mut words = vec!["delete", "--wait=false", "--force", "--grace-period=0"];
    words.extend(objects.iter().map(String::as_str));
    three.namespace.kubectl(&words).await.expect("deleted");
    let lost = [
        "etcdInsufficientMembers",
        "etcdNoLeader",
        "TaffrailClusterUnavailable",
        "TaffrailQuorumLost",
    ];
    raised.by("two of three volumes are gone", &lost).await;
    let many = (0..CLIENTS).map(|number| {
        let mut kv = client.kv();
        async move {
            loop {
                drop(kv.put(requests::put(format!("lost/{number}"), "value")).await);
            }
        }
    });
    tokio::select! {
        _ = join_all(many) => {}
        () = raised.by("nothing can be written", &["etcdHighNumberOfFailedProposals"]) => {}
    }
}

/// What a member says of itself that found others to differ.
async fn is_corrupt(raised: &Raised, cluster: &Cluster) {
    let client = client(cluster).await;
    client.raise(AlarmType::Corrupt, client.member_id().await).await;
    raised
        .by("a member is found to differ", &["TaffrailMemberCorrupt"])
        .await;
}
